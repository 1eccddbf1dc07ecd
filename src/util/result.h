// Errors as values: see the public header.
#pragma once

#include "keras_litert/result.h"

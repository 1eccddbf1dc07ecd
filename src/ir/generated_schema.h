// The header that flatc generates, with the warnings that its own code gives silenced.
#pragma once

#include <schema/schema_generated.h>

// A conversion's report as a web page.
#pragma once

#include <string>

#include "keras_litert/report.h"

namespace keras_litert {

// One self-contained page: UTF-8, no script, nothing loaded from elsewhere. Names are escaped.
// `seconds` and memory are left out, so that the same conversion gives the same page.
std::string HtmlReport(const ConvertReport& report);

}  // namespace keras_litert

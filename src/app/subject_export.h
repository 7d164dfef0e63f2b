// A copy of what is held about one vehicle of one owner (Art. 15 GDPR), as files for a person.
#pragma once

#include <string>

#include "app/subject.h"

namespace telltale::app {

// Makes `folder` (0700, files 0600) and writes into it; that it was made is recorded first, in
// data/erased/exports. Exact positions are not in it: they leave the vault by its query alone.
// The vault records it, too, under `case_id`: what this is for.
//   kInvalid      no case, or one too long
//   kExists       `folder` is there already
//   kRefused      the vault does not let this user ask
//   kUnavailable  a store does not answer; what was written stays and is not complete
Status ExportSubject(Subject& subject, const VehicleRef& vehicle, const std::string& folder,
                     const std::string& case_id);

// Whether a table may be named in SQL as it is: a-z, 0-9, '_', '.'.
bool IsTableName(std::string_view name);

}  // namespace telltale::app

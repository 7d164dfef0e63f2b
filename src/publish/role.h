// The publisher as a role; see publish.h.
#pragma once

#include "publish/publish.h"

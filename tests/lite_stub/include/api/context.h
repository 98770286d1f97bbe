// See model.h.
#pragma once
#include "include/api/model.h"

/* x */
#include "route.h"

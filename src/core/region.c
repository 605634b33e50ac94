/* x */
#include "smki/region.h"

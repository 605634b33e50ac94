/* x */
#include "smki/refusals.h"

/* x */
#include "smki/front.h"

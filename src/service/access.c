/* x */
#include "smki/access.h"

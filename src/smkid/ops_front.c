/* x */
#include "smkid.h"

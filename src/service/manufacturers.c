/* x */
#include "smki/manufacturers.h"

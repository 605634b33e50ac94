/* x */
#include "smki/enrol.h"

/* x */
#include "smki/est.h"

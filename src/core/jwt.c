/* x */
#include "smki/jwt.h"

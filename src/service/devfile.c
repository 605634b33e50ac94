/* x */
#include "smki/devfile.h"

/* x */
#include "smki/anchor.h"

/* x */
#include "smki/refusal.h"

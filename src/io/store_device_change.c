/* x */
#include "smki/store_device.h"

/* x */
#include "smki/statement.h"

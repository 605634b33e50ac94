/* x */
#include "httpd.h"

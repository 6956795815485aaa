#include <isocenter/isocenter.h>
#include <stdio.h>

int main(void) {
  puts(isocenter_version());
  return 0;
}

/* main.c - px-domain with the services of this build. A program with services of its own writes
 * these lines once more, and names them. */
#include <plexus.h>

int main(int argc, char **argv)
{
    return px_domain_main(argc, argv, NULL, 0);
}

// pmap.h - the head of a persistent map.                       Room: value. Includes: base.
// Threads: one owner.
#ifndef HYPHA_VALUE_PMAP_H
#define HYPHA_VALUE_PMAP_H

#include "value/champ.h"

struct hy_pmap {
    uint32_t refs;
    hyi_champ_form form;
    size_t count, count_max;
    hyi_champ *root;
};

#endif

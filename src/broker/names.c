// names.c - which actor has a name.
//
// Nobody is told when an actor ends: a ref knows by itself whether its actor lives. So a name whose
// actor has gone is free, whether or not its record is still here; the record is used again by the
// next who sets that name, and swept out with all others like it when the table is full.
//
// Names are found by 128 bits of digest. Two names that shared one would be one name, which for a
// table of this size is less likely than the memory failing.
#include "broker/inside.h"

#include "base/digest.h"
#include "base/memory.h"

#include <string.h>

static hyi_key names_key(const char *name) {
    hyi_wide_digest digest = hyi_digest128(0, name, strlen(name));
    return (hyi_key){ digest.hi, digest.lo };
}

static hyi_named *names_at(const hy_broker *broker, uint32_t index) {
    return (hyi_named *)hyi_pool_at(&broker->names, index);
}

void hyi_names_init(hy_broker *broker) {
    hyi_pool_init(&broker->names, broker->mem, sizeof(hyi_named), broker->options.names_max);
    hyi_map_init(&broker->by_name, broker->mem, 0);
    hyi_list_init(&broker->named);
}

void hyi_names_deinit(hy_broker *broker) {
    hyi_map_deinit(&broker->by_name);
    hyi_pool_deinit(&broker->names);
}

static void names_remove(hy_broker *broker, hyi_named *named) {
    bool was_there = hyi_map_erase(&broker->by_name, names_key(named->text), NULL);
    HY_ASSERT(was_there);
    hyi_list_remove(&named->in_broker);
    hyi_pool_give(&broker->names, named->index);
}

// Takes out the names of all who have ended.
static void names_sweep(hy_broker *broker) {
    hyi_link *link = broker->named.next;
    while (link != &broker->named) {
        hyi_named *named = HYI_HOLDER(hyi_named, in_broker, link);
        link = link->next;
        if (!hy_actor_is_alive(named->ref)) names_remove(broker, named);
    }
}

// Under the lock.
static hy_err names_put(hy_broker *broker, const char *name, size_t len, hy_ref ref) {
    hyi_key key = names_key(name);
    uint32_t index = hyi_map_get(&broker->by_name, key);
    if (index != HYI_NONE) {
        hyi_named *named = names_at(broker, index);
        if (hy_actor_is_alive(named->ref) && !hy_ref_equal(named->ref, ref)) return HY_EXISTS;
        named->ref = ref;
        return HY_OK;
    }
    if (hyi_pool_is_full(&broker->names)) names_sweep(broker);
    if (hyi_pool_is_full(&broker->names)) return HY_LIMIT;
    hyi_named *named = (hyi_named *)hyi_pool_take(&broker->names, &index);
    if (!named) return HY_NOMEM;
    hy_err err = hyi_map_insert(&broker->by_name, key, index);
    if (err) {
        hyi_pool_give(&broker->names, index);
        return err;
    }
    hyi_list_append(&broker->named, &named->in_broker);
    named->index = index;
    named->ref = ref;
    named->len = (uint8_t)len;
    memcpy(named->text, name, len + 1);
    return HY_OK;
}

hy_err hy_name_set(hy_broker *broker, const char *name, hy_ref ref) {
    size_t len = strlen(name);
    if (len == 0 || len > HY_NAME_BYTES_MAX) return HY_RANGE;
    if (!hy_text_is_utf8(hy_bytes_of(name))) return HY_NOT_UTF8;
    if (!hy_actor_is_alive(ref)) return HY_NOT_FOUND;
    pthread_mutex_lock(&broker->lock);
    hy_err err = names_put(broker, name, len, ref);
    pthread_mutex_unlock(&broker->lock);
    return err;
}

hy_ref hy_name_find(hy_broker *broker, const char *name) {
    hyi_key key = names_key(name);
    pthread_mutex_lock(&broker->lock);
    uint32_t index = hyi_map_get(&broker->by_name, key);
    hy_ref ref = index == HYI_NONE ? HY_NOBODY : names_at(broker, index)->ref;
    pthread_mutex_unlock(&broker->lock);
    return hy_actor_is_alive(ref) ? ref : HY_NOBODY;
}

void hy_name_clear(hy_broker *broker, const char *name) {
    hyi_key key = names_key(name);
    pthread_mutex_lock(&broker->lock);
    uint32_t index = hyi_map_get(&broker->by_name, key);
    if (index != HYI_NONE) names_remove(broker, names_at(broker, index));
    pthread_mutex_unlock(&broker->lock);
}

uint32_t hy_name_count(hy_broker *broker) {
    uint32_t count = 0;
    pthread_mutex_lock(&broker->lock);
    names_sweep(broker);
    count = broker->names.used_count;
    pthread_mutex_unlock(&broker->lock);
    return count;
}

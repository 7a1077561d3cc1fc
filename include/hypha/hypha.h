// hypha/hypha.h - everything, for those who want one line.
// The rooms in the order of the house.
#ifndef HYPHA_HYPHA_H
#define HYPHA_HYPHA_H

#include <hypha/base.h>
#include <hypha/schema.h>
#include <hypha/value.h>
#include <hypha/machine.h>
#include <hypha/world.h>
#include <hypha/scope.h>
#include <hypha/flow.h>
#include <hypha/observe.h>
#include <hypha/actor.h>
#include <hypha/broker.h>
#include <hypha/store.h>
#include <hypha/host.h>
#include <hypha/net.h>

#endif

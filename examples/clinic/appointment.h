// appointment.h - what can happen to an appointment. Example: clinic. Includes: base schema
// machine.
//
// Each function is one kind of input's step: HY_OK, or what hy_reject returns. A step may write
// before it has looked at everything: a refusal rolls it back.
#ifndef EXAMPLE_CLINIC_APPOINTMENT_H
#define EXAMPLE_CLINIC_APPOINTMENT_H

#include "clinic.h"

hy_err appointment_request_slot(hy_txn *txn, const clinic_request_slot *in);
hy_err appointment_request_any(hy_txn *txn, const clinic_request_any *in);
hy_err appointment_cancel(hy_txn *txn, const clinic_cancel *in);
hy_err appointment_move(hy_txn *txn, const clinic_move *in);

hy_err appointment_hold_done(hy_txn *txn, const clinic_done *in);
hy_err appointment_capture_done(hy_txn *txn, const clinic_done *in);
hy_err appointment_release_done(hy_txn *txn, const clinic_done *in);
hy_err appointment_expired(hy_txn *txn, const clinic_due *in);

// Forgets what is old, at most CLINIC_FORGET_MAX; true: there is more.
bool appointment_forget_old(hy_txn *txn);

// What state means. Occupies: its time is taken. Open: something is still to come, so it counts
// against CLINIC_OPEN_MAX. In motion: an action is pending.
bool appointment_occupies(clinic_state state);
bool appointment_is_open(clinic_state state);
bool appointment_is_in_motion(clinic_state state);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_MESSAGE_IDS_H
#define COMPOSE_CONTROL_MESSAGE_IDS_H

/*
 * message_ids.h - MESSAGE_ID of what keeper, supervisor and unit say in systemd's journal. They
 * never change; compose/berth.catalog explains each (journalctl -x).
 */

#define MESSAGE_STARTED          "2f0c1f6c1f0d4d0a8d6a4f3f0b6c7e11"
#define MESSAGE_EXITED           "6b1d5a0c9e7f4c56a7d1b0d2a9f83c24"
#define MESSAGE_OUT_OF_MEMORY    "b8e5c94b3d214f6f9a70c1d5e2f6a837"
#define MESSAGE_HEALTHY          "4d7a2e91c0b84e3fb65f8a1d3c9e0742"
#define MESSAGE_UNHEALTHY        "e1c83b5f72a94d06813e6b9fd0a4c75d"
#define MESSAGE_ACTED            "90f4d6a21b7c4e58bd3a5c0e8f1726b9"
#define MESSAGE_CHANGED          "3b9e04c7d18f4a52964e7c0ab5f2d863"
#define MESSAGE_RESTARTING       "5ae7093dc6f14b828e4d1f7b2a6c9035"
#define MESSAGE_RUN_BEGINS       "c3926fb80e5d47a19b07d4e8a5f1c36e"
#define MESSAGE_RUN_LEFT_OUT     "187d0ce4a93f4b65a2c8e6f5d1b09742"
#define MESSAGE_CONNECTION       "8e14b7a25d0c4f93a6c8f1e37b90d52a"
#define MESSAGE_SUPERVISOR_ENDED "7fb2e5d80c614a93958d3a6e0f4c1b27"
#define MESSAGE_SUPERVISOR_HANGS "d04a8c1b6e7f4259a3b5f0d9c2e81764"
#define MESSAGE_START_FAILED     "a6519e3f0d8b4c27b4e1c7f2d5a0836b"
#define MESSAGE_RELOAD_FAILED    "6587cc9fb66742c3a1e5e3df1c3955fb"
#define MESSAGE_UNITS_STALE      "41d9c0e7b52f4a8e9c36d17f0a8b6e53"

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every form that the schema of the Compose Specification allows for an attribute is read, and what
 * is of another type is refused: all keys, in the order of the schema. " ;; " stands between forms.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/map.h"

#include "compose/model/shapes.h"
#include "compose/tree/yaml.h"

#define BOOL    "true ;; false ;; 'true' ;; 'no'", "maybe ;; [] ;; {} ;; 1"
#define STRING  "text ;; 'quoted' ;; ''", "1 ;; true ;; [] ;; {}"
#define INT     "0 ;; 3 ;; '3'", "many ;; [] ;; {} ;; true ;; 1.5"
#define NUMBER  "1 ;; 1.5 ;; '2' ;; '0.5'", "many ;; [] ;; {} ;; true"
#define SIZE    "1024 ;; '1024' ;; 64m ;; 1gb ;; 1.5g", "many ;; [] ;; {} ;; true ;; -5q"
#define TIME    "10s ;; 1m30s ;; 500ms", "10 ;; soon ;; [] ;; {} ;; true"
#define STRINGS "[] ;; [a] ;; [a, b]", "a ;; {a: b} ;; [1] ;; [[]] ;; [a, a]"
#define LIST    "a ;; [a] ;; [a, b]", "1 ;; {a: b} ;; [1] ;; [[]] ;; true"
#define MAPPING                                                                           \
	"{a: b} ;; {a: 1} ;; {a: 1.5} ;; {a: true} ;; {a: } ;; [a=b] ;; [a] ;; {} ;; []", \
		"a ;; 1 ;; [1] ;; {a: [b]} ;; {a: {b: c}} ;; [a=b, a=b]"
#define OPTIONS  "{a: b} ;; {a: 1} ;; {}", "a ;; [a=b] ;; {a: [b]} ;; {a: {}}"
#define COMMAND  "sh -c true ;; [sh, -c] ;; [] ;; '' ;; null", "1 ;; {a: b} ;; [[a]] ;; [{}] ;; true"
#define ANY_MODE "0440 ;; 288 ;; '0440' ;; '288'", "rw ;; [] ;; {} ;; true"
#define EXTERNAL "true ;; 'true' ;; false ;; {name: x}", "[] ;; maybe ;; {nam: x}"

struct row {
	const char *place, *accepted, *refused;
};

static const struct row service_rows[] = {
	{"annotations", MAPPING},
	{"attach", BOOL},
	{"build", ". ;; {} ;; {context: .} ;; {dockerfile: F}", "1 ;; [] ;; true ;; {contxt: .}"},
	{"build.context", STRING},
	{"build.dockerfile", STRING},
	{"build.dockerfile_inline", STRING},
	{"build.entitlements", "[] ;; [network.host]", "a ;; {a: b} ;; [1]"},
	{"build.args", MAPPING},
	{"build.ssh", "[default] ;; {default: } ;; [a=/b] ;; {a: /b}", "1 ;; [1] ;; {a: [b]}"},
	{"build.labels", MAPPING},
	{"build.cache_from", "[] ;; [a, b]", "a ;; {a: b} ;; [1]"},
	{"build.cache_to", "[] ;; [a, b]", "a ;; {a: b} ;; [1]"},
	{"build.no_cache", BOOL},
	{"build.no_cache_filter", LIST},
	{"build.additional_contexts", "{a: ./b} ;; [a=./b] ;; {a: 'docker-image://x'}",
	 "a ;; [1] ;; {a: [b]}"},
	{"build.network", STRING},
	{"build.provenance", "true ;; false ;; mode=max ;; 'true'", "[] ;; {}"},
	{"build.sbom", "true ;; false ;; generator=x ;; 'true'", "[] ;; {}"},
	{"build.pull", BOOL},
	{"build.target", STRING},
	{"build.shm_size", SIZE},
	{"build.extra_hosts",
	 "{a: 1.2.3.4} ;; {a: [1.2.3.4, '::1']} ;; [a=1.2.3.4] ;; ['a:1.2.3.4']",
	 "a ;; 1 ;; [1] ;; {a: {}}"},
	{"build.privileged", BOOL},
	{"build.secrets",
	 "[a] ;; [{source: a}] ;; [{source: a, target: b, uid: '1', gid: '2', mode: 0440}]",
	 "a ;; {a: b} ;; [1] ;; [{sourc: a}]"},
	{"build.tags", "[] ;; [a, b]", "a ;; {a: b} ;; [1]"},
	{"build.ulimits", "{nofile: 1} ;; {nofile: '1'} ;; {nofile: {soft: 1, hard: '2'}}",
	 "[] ;; {nofile: many} ;; {nofile: {soft: 1}} ;; {nofile: []}"},
	{"build.platforms", "[] ;; [linux/amd64, linux/arm64]", "a ;; {a: b} ;; [1]"},
	{"blkio_config", "{} ;; {weight: 300} ;; {weight: '300'}",
	 "[] ;; 1 ;; {wait: 1} ;; {weight: x}"},
	{"blkio_config.device_read_bps",
	 "[] ;; [{path: /dev/a, rate: 1}] ;; [{path: /dev/a, rate: '12mb'}]",
	 "{} ;; a ;; [a] ;; [{path: 1, rate: 1}] ;; [{path: /dev/a, rate: []}] ;; [{way: /dev/a}]"},
	{"blkio_config.device_read_iops",
	 "[{path: /dev/a, rate: 1}] ;; [{path: /dev/a, rate: '12'}]",
	 "{} ;; a ;; [{path: /dev/a, rate: fast}]"},
	{"blkio_config.device_write_bps",
	 "[{path: /dev/a, rate: 1}] ;; [{path: /dev/a, rate: '1k'}]",
	 "{} ;; a ;; [{path: /dev/a, rate: fast}]"},
	{"blkio_config.device_write_iops", "[{path: /dev/a, rate: 1}]", "{} ;; a ;; [1]"},
	{"blkio_config.weight_device",
	 "[{path: /dev/a, weight: 200}] ;; [{path: /dev/a, weight: '200'}]",
	 "{} ;; a ;; [{path: /dev/a, weight: x}] ;; [{path: /dev/a, rate: 1}]"},
	{"cap_add", STRINGS},
	{"cap_drop", STRINGS},
	{"cgroup", "host ;; private ;; ''", "other ;; 1 ;; []"},
	{"cgroup_parent", STRING},
	{"command", COMMAND},
	{"configs",
	 "[a] ;; [{source: a}] ;; [{source: a, target: /b, uid: '1', gid: '2', mode: 0440}] ;; []",
	 "a ;; {a: b} ;; [1] ;; [{sourc: a}]"},
	{"container_name", "web ;; a.b_c-1", "1 ;; [] ;; true ;; -a ;; a/b"},
	{"cpu_count", "2 ;; '2'", "-1 ;; x ;; [] ;; true"},
	{"cpu_percent", "50 ;; '50'", "-1 ;; 101 ;; x ;; [] ;; true"},
	{"cpu_shares", "10 ;; '10'", "x ;; [] ;; {} ;; true"},
	{"cpu_quota", "5000 ;; '5000'", "x ;; [] ;; {} ;; true"},
	{"cpu_period", "5000 ;; '5000'", "x ;; [] ;; {} ;; true"},
	{"cpu_rt_period", "5000 ;; '5000' ;; '1400us'", "x ;; [] ;; {} ;; true"},
	{"cpu_rt_runtime", "5000 ;; '5000' ;; '400ms'", "x ;; [] ;; {} ;; true"},
	{"cpus", "1 ;; 0.5 ;; '1.5'", "x ;; [] ;; {} ;; true"},
	{"cpuset", "'0' ;; 0-3 ;; '0,1'", "1 ;; [] ;; {}"},
	{"credential_spec", "{file: a} ;; {config: a} ;; {registry: a}",
	 "a ;; [] ;; {files: a} ;; {file: 1}"},
	{"depends_on",
	 "[a] ;; [a, b] ;; {a: {condition: service_started}} ;; {a: {condition: service_healthy, "
	 "restart: true, "
	 "required: 'false'}} ;; {a: {condition: service_completed_successfully}} ;; [] ;; {}",
	 "a ;; [1] ;; [a, a] ;; {a: {condition: done}} ;; {a: {}} ;; {a: [x]} ;; {a: {condition: "
	 "service_started, "
	 "retry: 1}}"},
	{"deploy", "{}", "[] ;; a ;; {repicas: 1}"},
	{"deploy.mode", "replicated ;; global", "1 ;; []"},
	{"deploy.endpoint_mode", "vip ;; dnsrr", "1 ;; []"},
	{"deploy.replicas", "0 ;; 3 ;; '3'", "many ;; [] ;; -1 ;; true"},
	{"deploy.labels", MAPPING},
	{"deploy.rollback_config",
	 "{parallelism: 1, delay: 1s, failure_action: pause, monitor: 1m, max_failure_ratio: 0.5, "
	 "order: stop-first} ;; "
	 "{parallelism: '1', max_failure_ratio: '0.5', order: start-first} ;; {}",
	 "[] ;; {parallelism: x} ;; {delay: 1} ;; {order: middle} ;; {other: 1} ;; "
	 "{max_failure_ratio: x}"},
	{"deploy.update_config",
	 "{parallelism: 1, delay: 1s, failure_action: rollback, monitor: 1m, max_failure_ratio: "
	 "0.5, order: stop-first} ;; "
	 "{parallelism: '1', max_failure_ratio: '0.5', order: start-first} ;; {}",
	 "[] ;; {parallelism: x} ;; {delay: 1} ;; {order: middle} ;; {other: 1} ;; {monitor: x}"},
	{"deploy.resources", "{} ;; {limits: {}} ;; {reservations: {}}",
	 "[] ;; {limit: {}} ;; {limits: []}"},
	{"deploy.resources.limits",
	 "{cpus: 0.5} ;; {cpus: '0.5', memory: 64m, pids: 10} ;; {pids: '10'}",
	 "{cpus: x} ;; {memory: x} ;; {pids: x} ;; {devices: []} ;; []"},
	{"deploy.resources.reservations", "{cpus: 0.5} ;; {cpus: '0.5', memory: 64m}",
	 "{cpus: x} ;; {memory: x} ;; {other: 1} ;; []"},
	{"deploy.resources.reservations.generic_resources",
	 "[] ;; [{discrete_resource_spec: {kind: GPU, value: 2}}] ;; [{discrete_resource_spec: "
	 "{kind: GPU, value: '2'}}]",
	 "{} ;; [a] ;; [{spec: {}}] ;; [{discrete_resource_spec: {kind: 1}}]"},
	{"deploy.resources.reservations.devices",
	 "[{capabilities: [gpu]}] ;; [{capabilities: [gpu], count: 1}] ;; [{capabilities: [gpu], "
	 "count: all}] ;; "
	 "[{capabilities: [gpu], count: '2', driver: x, options: {a: b}}] ;; [{capabilities: "
	 "[gpu], device_ids: ['0'], "
	 "options: [a=b]}]",
	 "{} ;; a ;; [a] ;; [{count: 1}] ;; [{capabilities: gpu}] ;; [{capabilities: [gpu], count: "
	 "x}] ;; [{capabilities: "
	 "[gpu], device_ids: [1]}]"},
	{"deploy.restart_policy",
	 "{condition: on-failure, delay: 5s, max_attempts: 3, window: 1m} ;; {max_attempts: '3'} "
	 ";; {condition: any} ;; "
	 "{condition: none} ;; {}",
	 "[] ;; {condition: 1} ;; {delay: 1} ;; {max_attempts: x} ;; {window: x} ;; {windows: 1s}"},
	{"deploy.placement",
	 "{constraints: [a==b], preferences: [{spread: a}], max_replicas_per_node: 1} ;; "
	 "{max_replicas_per_node: '1'} ;; {}",
	 "[] ;; {constraints: a} ;; {preferences: [a]} ;; {max_replicas_per_node: x} ;; "
	 "{preferences: [{spred: a}]}"},
	{"develop", "{} ;; {watch: []}", "[] ;; a ;; {wach: []}"},
	{"develop.watch",
	 "[{path: ., action: rebuild}] ;; [{path: ., action: sync, target: /a, ignore: [b], "
	 "include: [c]}] ;; [{path: ., "
	 "action: sync, target: /a, ignore: b, include: c}] ;; [{path: ., action: restart}] ;; "
	 "[{path: ., action: "
	 "sync+restart, target: /a, initial_sync: true}] ;; [{path: ., action: sync+exec, target: "
	 "/a, exec: {command: [x]}}]",
	 "{} ;; [a] ;; [{path: .}] ;; [{action: sync}] ;; [{path: ., action: other}] ;; [{path: ., "
	 "action: rebuild, what: 1}] ;; "
	 "[{path: 1, action: rebuild}] ;; [{path: ., action: rebuild, ignore: [1]}] ;; [{path: ., "
	 "action: sync+exec, target: /a, "
	 "exec: {user: a}}]"},
	{"device_cgroup_rules", "['c 1:3 mr'] ;; [] ;; ['a 7:* rmw']", "a ;; {a: b} ;; [1]"},
	{"devices",
	 "[/dev/null] ;; ['/dev/a:/dev/b'] ;; ['/dev/a:/dev/b:rw'] ;; [{source: /dev/a}] ;; "
	 "[{source: /dev/a, target: "
	 "/dev/b, permissions: rwm}] ;; ['vendor.com/class=name'] ;; []",
	 "/dev/a ;; {a: b} ;; [1] ;; [{target: /dev/a}] ;; [{source: 1}] ;; [{source: /dev/a, "
	 "mode: r}]"},
	{"dns", "1.1.1.1 ;; [1.1.1.1, '::1'] ;; []", "1 ;; {a: b} ;; [1] ;; true"},
	{"dns_opt", STRINGS},
	{"dns_search", "a.b ;; [a.b, c] ;; .", "1 ;; {a: b} ;; [1] ;; true"},
	{"domainname", STRING},
	{"entrypoint", COMMAND},
	{"env_file",
	 "a ;; [a, b] ;; [{path: a}] ;; [{path: a, required: false, format: raw}] ;; [{path: a, "
	 "required: 'true'}] ;; [a, {path: b}]",
	 "1 ;; {path: a} ;; [1] ;; [{}] ;; [{path: 1}] ;; [{path: a, require: true}] ;; true"},
	{"label_file", "a ;; [a, b]", "1 ;; {a: b} ;; [1] ;; true"},
	{"environment", MAPPING},
	{"expose", "[80] ;; ['80'] ;; [8000-8010] ;; [53/udp] ;; []",
	 "80 ;; {a: b} ;; [x] ;; [[]] ;; ['80', '80'] ;; [true]"},
	{"external_links", STRINGS},
	{"extra_hosts",
	 "{a: 1.2.3.4} ;; {a: [1.2.3.4, '::1']} ;; [a=1.2.3.4] ;; ['a:1.2.3.4'] ;; ['a:::1'] ;; "
	 "['a=[::1]'] ;; {a: host-gateway}",
	 "a ;; 1 ;; [1] ;; {a: {}} ;; {a: 1} ;; [a]"},
	{"gpus",
	 "all ;; [{driver: a}] ;; [{count: 1}] ;; [{count: all}] ;; [{count: '2', capabilities: "
	 "[gpu]}] ;; [{device_ids: ['0'], "
	 "options: {a: b}}] ;; [{options: [a=b]}]",
	 "some ;; 1 ;; {} ;; [a] ;; [{counts: 1}] ;; [{count: x}] ;; [{device_ids: 1}]"},
	{"group_add", "[a, 1] ;; ['1'] ;; []", "a ;; {a: b} ;; [[]] ;; [true]"},
	{"healthcheck", "{} ;; {test: [CMD, a]} ;; {test: a}", "[] ;; a ;; {tests: a}"},
	{"healthcheck.disable", BOOL},
	{"healthcheck.interval", TIME},
	{"healthcheck.retries", "3 ;; '3' ;; 0", "x ;; [] ;; true"},
	{"healthcheck.test", "a b ;; [CMD, a] ;; [CMD-SHELL, a b] ;; [NONE] ;; []",
	 "1 ;; {} ;; [1] ;; [a] ;; true"},
	{"healthcheck.timeout", TIME},
	{"healthcheck.start_period", TIME},
	{"healthcheck.start_interval", TIME},
	{"hostname", "web ;; a.b", "1 ;; [] ;; true"},
	{"image", "web ;; a/b:c", "1 ;; [] ;; true ;; {}"},
	{"init", BOOL},
	{"ipc", "host ;; private ;; shareable ;; none ;; 'service:a' ;; 'container:a' ;; ''",
	 "1 ;; [] ;; true"},
	{"isolation", "default ;; process", "1 ;; [] ;; true"},
	{"labels", MAPPING},
	{"links", "[a] ;; ['a:b'] ;; []", "a ;; {a: b} ;; [1] ;; [a, a]"},
	{"logging",
	 "{} ;; {driver: json-file} ;; {driver: none, options: {a: b}} ;; {options: {a: 1}} ;; "
	 "{options: {a: }}",
	 "[] ;; a ;; {drive: a} ;; {driver: 1} ;; {options: [a=b]} ;; {options: {a: []}}"},
	{"mac_address", "'02:42:ac:11:00:02' ;; ''", "1 ;; [] ;; true"},
	{"mem_limit", SIZE},
	{"mem_reservation", SIZE},
	{"mem_swappiness", "0 ;; 60 ;; '60'", "x ;; [] ;; true"},
	{"memswap_limit", "-1 ;; '-1' ;; 64m ;; 1024", "x ;; [] ;; true"},
	{"network_mode", "host ;; none ;; bridge ;; 'service:a' ;; 'container:a'",
	 "1 ;; [] ;; true"},
	{"models", "[a] ;; {a: } ;; {a: {}} ;; {a: {endpoint_var: A, model_var: B}}",
	 "a ;; [1] ;; {a: []} ;; {a: {endpoint: A}} ;; {a: {model_var: 1}} ;; [a, a]"},
	{"networks", "[a] ;; [a, b] ;; {a: } ;; {a: {}} ;; [] ;; {}",
	 "a ;; [1] ;; [a, a] ;; {a: []} ;; {a: x}"},
	{"networks.n.aliases", STRINGS},
	{"networks.n.interface_name", "eth9", "1 ;; []"},
	{"networks.n.ipv4_address", "10.0.0.2", "1 ;; [] ;; true"},
	{"networks.n.ipv6_address", "'fd00::2'", "1 ;; [] ;; true"},
	{"networks.n.link_local_ips", "[169.254.8.8] ;; []", "a ;; [1]"},
	{"networks.n.mac_address", "'02:42:ac:11:00:02'", "1 ;; []"},
	{"networks.n.driver_opts", OPTIONS},
	{"networks.n.priority", "0 ;; 100 ;; -5", "x ;; [] ;; true"},
	{"networks.n.gw_priority", "0 ;; 100 ;; -5", "x ;; [] ;; true"},
	{"oom_kill_disable", BOOL},
	{"oom_score_adj", "0 ;; -1000 ;; 1000 ;; '500'", "x ;; 1001 ;; -1001 ;; [] ;; true"},
	{"pid", "host ;; 'service:a' ;; 'container:a' ;; null ;; ''", "1 ;; [] ;; true"},
	{"pids_limit", "10 ;; '10' ;; -1", "x ;; [] ;; true"},
	{"platform", "linux/amd64 ;; linux/arm64/v8", "1 ;; [] ;; true"},
	{"ports",
	 "[80] ;; ['80'] ;; ['8080:80'] ;; ['127.0.0.1:8080:80/udp'] ;; ['3000-3002:80-82'] ;; "
	 "['[::1]:80:80'] ;; [{target: 80}] ;; "
	 "[{target: '80', published: 8080, protocol: tcp, mode: host, host_ip: 127.0.0.1, name: "
	 "web, app_protocol: http}] ;; "
	 "[{target: 80, published: '8080-8090'}] ;; []",
	 "80 ;; {a: b} ;; [x] ;; [[]] ;; [{published: 80}] ;; [{target: x}] ;; [{target: 80, "
	 "publish: 80}] ;; ['80:80', '80:80'] ;; "
	 "[true] ;; ['70000'] ;; [{target: 80, protocol: 1}]"},
	{"pre_start",
	 "[{command: a}] ;; [{command: [a, b], image: x, user: u, privileged: true, working_dir: "
	 "/a, environment: [a=b], "
	 "per_replica: true}] ;; [] ;; [{image: x}]",
	 "a ;; {} ;; [a] ;; [{comand: a}] ;; [{command: 1}] ;; [{command: a, per_replica: x}]"},
	{"post_start",
	 "[{command: a}] ;; [{command: [a, b], user: u, privileged: 'true', working_dir: /a, "
	 "environment: {a: b}}] ;; []",
	 "a ;; {} ;; [a] ;; [{user: a}] ;; [{command: a, image: x}] ;; [{command: a, privileged: "
	 "x}]"},
	{"pre_stop", "[{command: a}] ;; []", "a ;; {} ;; [a] ;; [{user: a}]"},
	{"privileged", BOOL},
	{"profiles", STRINGS},
	{"provider", "{type: a} ;; {type: a, options: {b: c, d: 1, e: true, f: [g, 1, true]}}",
	 "a ;; [] ;; {} ;; {type: 1} ;; {type: a, options: [b]} ;; {type: a, option: {}} ;; {type: "
	 "a, options: {b: {c: d}}}"},
	{"pull_policy",
	 "always ;; never ;; build ;; if_not_present ;; missing ;; daily ;; weekly ;; every_12h ;; "
	 "every_1d",
	 "sometimes ;; 1 ;; [] ;; every_ ;; every_5x"},
	{"pull_refresh_after", "24h ;; 1d", "1 ;; []"},
	{"read_only", BOOL},
	{"restart", "always ;; 'no' ;; on-failure ;; 'on-failure:3' ;; unless-stopped",
	 "1 ;; [] ;; maybe"},
	{"runtime", "runc ;; io.containerd.runc.v2", "1 ;; []"},
	{"scale", INT},
	{"security_opt",
	 "[] ;; [no-new-privileges] ;; ['no-new-privileges:true', seccomp=unconfined, "
	 "'apparmor:x', 'label:disable', systempaths=unconfined, writable-cgroups=true]",
	 "null ;; a ;; [a] ;; [1] ;; [null] ;; {a: b} ;; [[]] ;; [label=a, label=a]"},
	{"shm_size", SIZE},
	{"secrets",
	 "[a] ;; [{source: a}] ;; [{source: a, target: b, uid: '1', gid: '2', mode: '0440'}] ;; []",
	 "a ;; {a: b} ;; [1] ;; [{sourc: a}] ;; [{source: a, mode: x}] ;; [{source: a, uid: 1}]"},
	{"sysctls", "{net.core.somaxconn: 1024} ;; {a.b: '1'} ;; [a.b=1]", "a ;; [1] ;; {a.b: []}"},
	{"stdin_open", BOOL},
	{"stop_grace_period", TIME},
	{"stop_signal", "SIGTERM ;; TERM ;; '15'", "1 ;; []"},
	{"storage_opt", "{size: 1G} ;; {}", "a ;; []"},
	{"tmpfs", "/run ;; [/run, /tmp] ;; ['/run:size=64m,mode=1777'] ;; []",
	 "1 ;; {a: b} ;; [1]"},
	{"tty", BOOL},
	{"ulimits",
	 "{nofile: 1} ;; {nofile: '1'} ;; {nofile: {soft: 1, hard: '2'}} ;; {nofile: -1} ;; {}",
	 "[] ;; {nofile: many} ;; {nofile: {soft: 1}} ;; {nofile: []} ;; {nofile: {soft: 1, hard: "
	 "2, other: 3}}"},
	{"use_api_socket", "true ;; false", "maybe ;; [] ;; 1"},
	{"user", "root ;; '1000:1000'", "[] ;; true"},
	{"uts", "host ;; ''", "1 ;; []"},
	{"userns_mode", "host ;; ''", "1 ;; []"},
	{"volumes",
	 "[/a] ;; ['a:/b'] ;; ['./a:/b:ro'] ;; ['data:/b:rw,z'] ;; [{type: bind, source: ./a, "
	 "target: "
	 "/b, read_only: true, consistency: cached, bind: "
	 "{propagation: rslave, create_host_path: 'false', recursive: readonly, selinux: z}}] ;; "
	 "[{type: volume, target: /b}] ;; [{type: "
	 "volume, source: a, target: /b, volume: {nocopy: true, subpath: c, labels: {d: e}}}] ;; "
	 "[{type: tmpfs, target: /b, tmpfs: {size: "
	 "64m, mode: 0777}}] ;; [{type: tmpfs, target: /b, tmpfs: {size: 1024, mode: '0777'}}] ;; "
	 "[{type: image, source: x, target: /b, "
	 "image: {subpath: c}}] ;; [{type: bind, source: a, target: /b, bind: {recursive: "
	 "enabled}}] ;; [{type: bind, source: a, target: /b, "
	 "bind: {recursive: writable, selinux: Z}}] ;; []",
	 "a ;; {a: b} ;; [1] ;; [{target: /b}] ;; [{type: other, target: /b}] ;; [{type: bind, "
	 "source: a, target: /b, bind: {recursive: maybe}}] "
	 ";; [{type: volume, target: /b, volume: {copy: true}}] ;; [{type: tmpfs, target: /b, "
	 "tmpfs: {size: x}}] ;; [{type: bind, source: a, "
	 "target: /b, bind: {selinux: y}}] ;; [{type: volume, target: 1}] ;; [{type: volume, "
	 "target: /b, tmpsf: {}}] ;; ['/a', '/a']"},
	{"volumes_from", STRINGS},
	{"working_dir", "/a", "1 ;; []"},
};

static const struct row network_rows[] = {
	{"name", "a ;; 'b-c'", "1 ;; [] ;; true"},
	{"driver", "bridge ;; host", "1 ;; []"},
	{"driver_opts", OPTIONS},
	{"ipam",
	 "{} ;; {driver: default} ;; {config: [{subnet: 10.0.0.0/24}]} ;; {config: [{subnet: "
	 "10.0.0.0/24, ip_range: 10.0.0.0/28, gateway: "
	 "10.0.0.1, aux_addresses: {a: 10.0.0.9}}], options: {a: b}} ;; {config: []}",
	 "[] ;; a ;; {conf: []} ;; {driver: 1} ;; {config: {}} ;; {config: [{subnet: 1}]} ;; "
	 "{config: [{net: a}]} ;; {config: [{aux_addresses: [a]}]}"},
	{"external", EXTERNAL},
	{"internal", BOOL},
	{"enable_ipv4", BOOL},
	{"enable_ipv6", BOOL},
	{"attachable", BOOL},
	{"labels", MAPPING},
};

static const struct row volume_rows[] = {
	{"name", "a", "1 ;; [] ;; true"},
	{"driver", "local", "1 ;; []"},
	{"driver_opts", OPTIONS},
	{"external", EXTERNAL},
	{"labels", MAPPING},
};

static const struct row secret_rows[] = {
	{"name", "a", "1 ;; []"},   {"environment", "A", "1 ;; []"},
	{"file", "./a", "1 ;; []"}, {"external", EXTERNAL},
	{"labels", MAPPING},        {"driver", "a", "1 ;; []"},
	{"driver_opts", OPTIONS},   {"template_driver", "a", "1 ;; []"},
};

static const struct row config_rows[] = {
	{"name", "a", "1 ;; []"},
	{"content", "a b", "1 ;; []"},
	{"environment", "A", "1 ;; []"},
	{"file", "./a", "1 ;; []"},
	{"external", EXTERNAL},
	{"labels", MAPPING},
	{"template_driver", "a", "1 ;; []"},
};

static const struct row model_rows[] = {
	{"name", "a", "1 ;; []"},
	{"model", "ai/a:b", "1 ;; []"},
	{"context_size", "4096 ;; 0", "x ;; []"},
	{"runtime_flags", "[] ;; [--a]", "a ;; {} ;; [1]"},
};

static const struct row project_rows[] = {
	{"name", "a ;; a-b", "1 ;; [] ;; true"},
	{"services", "{} ;; {a: {image: x}}",
	 "[] ;; a ;; {a: x} ;; {a: []} ;; {'a b': {image: x}} ;; {a: }"},
	{"networks", "{} ;; {a: } ;; {a: {}}", "[] ;; a ;; {a: x} ;; {a: []}"},
	{"volumes", "{} ;; {a: } ;; {a: {}}", "[] ;; a ;; {a: x} ;; {a: []}"},
	{"secrets", "{} ;; {a: {file: b}}", "[] ;; a ;; {a: x} ;; {a: []}"},
	{"configs", "{} ;; {a: {content: b}}", "[] ;; a ;; {a: x} ;; {a: []}"},
	{"models", "{} ;; {a: {model: b}}", "[] ;; a ;; {a: x} ;; {a: []}"},
	{"x-any", "1 ;; [] ;; {a: b} ;; null ;; text", ""},
};

/* What is wrong with `prefix.place: form`; NULL: nothing. New string. */
static char *complaint(const char *prefix, const char *place, const char *form)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	struct source *source = source_new("f.yaml", NULL);
	struct yaml_documents documents = {0};
	struct report report = {0};
	struct decoder decoder = {.report = &report};
	struct project *project = project_new();
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = str_printf("%s%s", prefix, place);
	_cleanup_strv_ char **keys = strv_split(path, ".");
	size_t depth = strv_length(keys);
	char *result = NULL;

	strv_foreach(key, keys)
		strbuf_addf(&text, "{%s: ", key);
	strbuf_add(&text, form);
	for (size_t i = 0; i < depth; i++)
		strbuf_addc(&text, '}');
	source->size = text.length;
	source->text = strbuf_take(&text);
	if (yaml_parse(source, &documents, &err) < 0) {
		result = str_printf("no YAML: %s", err.message);
	} else {
		decode_object(&decoder, documents.items[0], &project_schema, project);
		if (report.count)
			result = report_text(&report);
	}
	report_done(&report);
	project_free(project);
	yaml_documents_done(&documents);
	source_free(source);
	return result;
}

static size_t check_forms(const char *prefix, const struct row *row, bool accepted)
{
	const char *at = accepted ? row->accepted : row->refused, *end;
	size_t count = 0;

	for (; *at; at = end ? end + 4 : "") {
		_cleanup_free_ char *form = NULL, *said = NULL;

		end = strstr(at, " ;; ");
		form = end ? alloc_string_n(at, (size_t)(end - at)) : alloc_string(at);
		said = complaint(prefix, row->place, form);
		cr_expect(accepted == !said, "%s%s: %s is %s%s", prefix, row->place, form,
			  accepted ? "refused: " : "accepted", said ? said : "");
		count++;
	}
	return count;
}

Test(forms, of_every_key)
{
#define ROWS(prefix, rows)                     \
	{                                      \
		prefix, rows, ARRAY_SIZE(rows) \
	}
	static const struct {
		const char *prefix;
		const struct row *rows;
		size_t count;
	} kinds[] = {
		ROWS("", project_rows),
		ROWS("services.s.", service_rows),
		ROWS("networks.n.", network_rows),
		ROWS("volumes.v.", volume_rows),
		ROWS("secrets.s.", secret_rows),
		ROWS("configs.c.", config_rows),
		ROWS("models.m.", model_rows),
	};
	size_t count = 0;

	array_foreach(kind, kinds)
		for (size_t i = 0; i < kind->count; i++) {
			count += check_forms(kind->prefix, &kind->rows[i], true);
			count += check_forms(kind->prefix, &kind->rows[i], false);
		}
	cr_expect(count > 900, "only %zu forms", count);
}

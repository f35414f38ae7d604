# Everything runs from .venv, which `make install` makes from Pipfile.lock: nothing is asked of the system
# but git, make and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Not the default /bin/sh: what needs no shell make starts itself, and Apple's make 3.81 finds it by the PATH that make was
# started with, not by the one that is exported here. With another shell every line goes through it.
SHELL := sh
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Every process of the twin, the lab and the tests starts from byte code that is written once.
unexport PYTHONDONTWRITEBYTECODE

DURATION ?= 20
RATE ?= 100
USERS ?= 16
MINUTES ?= 10
# Where the twin listens: others for a second twin beside the first.
GATEWAY_PORT ?= 8000
AWS_PORT ?= 4566
WEB_PORT ?= 8089
MASTER_PORT ?= 5557
# At other ports, beside the first, with a state of its own.
state = .twin$(if $(filter-out 8000,$(1)),.$(1))
TWIN_UP := twin up --with-parent --state $(call state,$(GATEWAY_PORT)) --port $(GATEWAY_PORT) --aws-port $(AWS_PORT)
after = $(shell expr $(1) + 1 2>/dev/null || echo $(1))
SECOND_UP = twin up --with-parent --state $(call state,$(call after,$(GATEWAY_PORT))) --port $(call after,$(GATEWAY_PORT)) --aws-port $(call after,$(AWS_PORT))

.DEFAULT_GOAL := help
.PHONY: help install aws develop lock synth synth-services check-load ready run run-services compare soak ui test pytest lint bench bench-compare bench-page deploy destroy diff diagram settings checkov audit sbom conformance locust-versions clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '%s\n' '' 'Settings of the stack: SC_NAME=VALUE make ... (docs/settings.md); ENV=NAME takes those of cdktf.json for that' \
		'environment. GATEWAY_PORT, AWS_PORT, WEB_PORT and, with WORKERS, MASTER_PORT are where a second twin listens.'

install: $(VENV)/.compiled ## Set up .venv from Pipfile.lock (with hashes); a second call does nothing

# What takes long says so in a line, and shows what its tools print only where they fail.
STEP := @sh tools/step.sh

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=...")'
	$(STEP) "Making $(VENV), once" $(PYTHON) -m venv $(VENV)

# Lists of Pipfile. What takes room and only some need is apart: the AWS CLI, and what tests and linters are.
$(VENV)/.installed: Pipfile.lock pyproject.toml tools/install.py | $(VENV)/bin/pip
	$(STEP) "Installing what Pipfile.lock names into $(VENV): half a minute or more the first time, 0.9 GB" \
		sh -c '$(BIN)/python tools/install.py default tools && $(BIN)/pip install --no-deps --no-build-isolation --editable .'
	@touch $@

$(VENV)/.aws: Pipfile.lock | $(VENV)/.installed
	$(STEP) "Installing the AWS CLI into $(VENV), once: 0.15 GB" $(BIN)/python tools/install.py aws
	@touch $@

$(VENV)/.developed: Pipfile.lock | $(VENV)/.installed $(VENV)/.aws
	$(STEP) "Installing tests, linters and examples into $(VENV), once: 0.4 GB" $(BIN)/python tools/install.py develop
	@touch $@

COMPILE := $(BIN)/python -c 'import lab.runner.session, lab.report.pages, lab.report.html' && \
	$(BIN)/python -c 'import app.server, twin.supervisor' && $(BIN)/python -c 'import load.traffic.listener'

# But of what the commands import, so that the first call of each is like the others.
$(VENV)/.compiled: $(VENV)/.installed
	$(STEP) "$(if $(QUIET),,Compiling what the commands import, once)" sh -c "$(COMPILE)"
	@touch $@

aws: $(VENV)/.aws ## Put the AWS CLI into .venv, for a machine that has none

develop: $(VENV)/.developed install ## Put tests, linters, examples and the AWS CLI into .venv

lock: $(VENV)/.developed ## Lock Pipfile anew; no registry's address is kept
	PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 $(BIN)/pipenv lock --categories "packages tools aws dev-packages"
	$(PYTHON) tools/strip_lock.py Pipfile.lock
	$(PYTHON) tools/base_images.py Dockerfile load/Dockerfile

lint: $(VENV)/.developed ## ruff, mypy --strict, import-linter
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# The program of the stack: STACK_FILE=examples/services/main.py is the one with two services.
STACK_FILE ?= main.py
export STACK_FILE
# The stack's bindings: CDKTF, or its successor (BINDINGS=cdktn), which has a virtual environment of its own on top of .venv.
BINDINGS ?= cdktf
export BINDINGS
ifeq ($(BINDINGS),cdktn)
PROGRAM := .venv-cdktn/bin/python $(STACK_FILE)
SYNTH_FROM := .venv-cdktn/.installed
else
PROGRAM := python $(STACK_FILE)
SYNTH_FROM := $(VENV)/.installed
endif

.venv-cdktn/.installed: tools/cdktn/requirements.txt $(VENV)/.installed
	$(PYTHON) -m venv .venv-cdktn
	$(STEP) "Installing cdktn into .venv-cdktn, once: 300 MB" .venv-cdktn/bin/pip install --no-deps --no-compile --requirement $<
	@.venv-cdktn/bin/python -c 'import sys, sysconfig; open(sysconfig.get_path("purelib") + "/project.pth", "w").write("\n".join(sys.argv[1:]))' \
		'$(CURDIR)/constructs' "$$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@touch $@

# What the stack is synthesized from: sources, and the settings in the environment. The manifest is there too, so that
# what a `cdktf` command has written with other settings is not taken for ours.
SYNTH_SOURCES := $(STACK_FILE) cdktf.json Dockerfile .dockerignore Pipfile.lock cdktf.out/manifest.json \
	$(wildcard constructs/serviceconnect/*.* constructs/serviceconnect/*/*.* app/*.*)

cdktf.out/.environment: FORCE
	@mkdir -p $(@D)
	@env | grep -E '^(SC_|ENV=|BINDINGS=|STACK_FILE=|AWS_ENDPOINT_URL=)' | sort > $@.new || true
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:

cdktf.out/.synthesized: $(SYNTH_FROM) $(wildcard $(SYNTH_SOURCES)) cdktf.out/.environment
	$(STEP) "Synthesizing the stack into cdktf.out: up to half a minute the first time" $(PROGRAM)
	@touch $@

# Beside it, in one process with it: the stack with an application that ends at once, and that with a load balancer.
AT_ONCE := cdktf.out/ends-at-once
BOTH_WAYS := cdktf.out/comparison
WITH_AT_ONCE := cdktf.out $(AT_ONCE) SC_DRAIN_SECONDS=0
WITH_BOTH_WAYS := $(WITH_AT_ONCE) $(BOTH_WAYS) SC_DRAIN_SECONDS=0 SC_COMPARISON=true

$(AT_ONCE)/.synthesized: BESIDE := $(WITH_AT_ONCE)
$(BOTH_WAYS)/.synthesized: BESIDE := $(WITH_BOTH_WAYS)
$(AT_ONCE)/.synthesized $(BOTH_WAYS)/.synthesized: $(SYNTH_FROM) tools/synthesize.py $(wildcard $(SYNTH_SOURCES)) cdktf.out/.environment
	$(STEP) "Synthesizing the stack into cdktf.out: up to half a minute the first time" $(PROGRAM:$(STACK_FILE)=tools/synthesize.py $(STACK_FILE)) $(BESIDE)
	@touch $(addsuffix /.synthesized,$(filter-out SC_%,$(BESIDE)))

synth: cdktf.out/.synthesized ## Synthesize the stack into cdktf.out, if anything it depends on changed

# Two services that find each other.
SERVICES := cdktf.out/services
$(SERVICES)/.synthesized: $(SYNTH_FROM) examples/services/main.py $(filter-out cdktf.out/%,$(wildcard $(SYNTH_SOURCES))) cdktf.out/.environment
	@env CDKTF_OUTDIR=$(@D) sh tools/step.sh "$(if $(QUIET),,Synthesizing two services into $(@D))" $(PROGRAM:$(STACK_FILE)=examples/services/main.py)
	@touch $@

synth-services: $(SERVICES)/.synthesized ## Synthesize examples/services, two services that find each other, into cdktf.out/services

# Install scripts stay off: the one package that has some brings its binaries along, or is compiled by name.
node_modules/.installed: package.json package-lock.json tools/terminal_module.sh | $(VENV)/.installed
	$(STEP) "Installing the cdktf command into node_modules: about half a minute the first time, 0.2 GB" npm ci --ignore-scripts --no-audit --no-fund
	@sh tools/terminal_module.sh
	@# Binaries for Windows, where this project runs in WSL 2, and tests: half of it.
	@rm -rf node_modules/@cdktf/node-pty-prebuilt-multiarch/prebuilds/win32-* node_modules/@cdktf/provider-generator/lib/*/__tests__
	@touch $@

# The cdktf command synthesizes by itself. ARGS=--auto-approve asks nothing. What the machine lacks is said before
# anything is fetched.
# Each Region has a state of its own: Terraform takes the one that the stack names, and moves none.
CDKTF := CHECKPOINT_DISABLE=1 TF_CLI_ARGS_init=-reconfigure node_modules/.bin/cdktf
# Another endpoint than AWS has a folder of its own: what Terraform keeps there belongs to one of them.
OUTPUT := $(if $(AWS_ENDPOINT_URL),cdktf.endpoint.out,cdktf.out)

# `terraform providers lock` asks the public registry, whatever mirror has the provider: nothing on this machine needs it.
LOOPBACK := http://127.% http://localhost% http://[::1]%
LOCK := $(if $(filter $(LOOPBACK),$(AWS_ENDPOINT_URL)),--skip-provider-lock)

# The cdktf command starts it in cdktf.json's place, with a path of its own.
APP := $(if $(filter cdktn,$(BINDINGS)),$(PROGRAM),$(BIN)/$(PROGRAM))

# Which provider Terraform has chosen stays beside the stack, for the next deployment from wherever: see docs/deploy.md.
KEEP_LOCK = $(if $(LOCK),,@cp "$$(ls -t $(OUTPUT)/stacks/*/.terraform.lock.hcl | head -n 1)" .terraform.lock.hcl)

# ENV=prod: the settings of that environment in cdktf.json. What is a path is the shells' own ENV.
OUTPUTS := outputs$(if $(findstring /,$(ENV)),,$(addprefix .,$(ENV))).json

deploy: preflight-deploy $(VENV)/.aws $(SYNTH_FROM) node_modules/.installed ## Put the stack on AWS (or on AWS_ENDPOINT_URL); outputs.json tells `lab` where
	$(CDKTF) deploy --app '$(APP)' $(LOCK) --output $(OUTPUT) --outputs-file $(OUTPUTS) $(ARGS)
	$(KEEP_LOCK)

destroy: preflight-destroy $(VENV)/.aws $(SYNTH_FROM) node_modules/.installed ## Take all of it away again
	$(CDKTF) destroy --app '$(APP)' $(LOCK) --output $(OUTPUT) $(ARGS)

diff: preflight-diff $(SYNTH_FROM) node_modules/.installed ## Show what a deployment would change
	$(CDKTF) diff --app '$(APP)' $(LOCK) --output $(OUTPUT) $(ARGS)

preflight-%: install
	@python tools/preflight.py $*

DEFAULTS = env -u AWS_ENDPOINT_URL $(foreach v,$(filter SC_%,$(.VARIABLES)),-u $(v))
diagram: develop ## Draw docs/architecture.png and services.png from the stacks with their defaults (needs Graphviz)
	@$(DEFAULTS) CDKTF_OUTDIR=cdktf.out/diagram python main.py
	@python tools/diagram.py cdktf.out/diagram/stacks/*/cdk.tf.json docs/architecture.png
	@$(DEFAULTS) CDKTF_OUTDIR=cdktf.out/diagram python examples/services/main.py
	@python tools/diagram.py cdktf.out/diagram/stacks/*/cdk.tf.json docs/services.png

settings: install ## Write docs/settings.md from the settings
	@python -c 'from serviceconnect.settings.table import markdown; print(markdown(), end="")' > docs/settings.md

.venv-checkov/.installed: tools/checkov/requirements.txt
	@$(PYTHON) -m venv .venv-checkov
	$(STEP) "Installing checkov into .venv-checkov, once" .venv-checkov/bin/pip install --no-deps --requirement $<
	@touch $@

checkov: install .venv-checkov/.installed ## Run checkov over the stack, all its options and the Dockerfile
	@python tools/checkov/gate.py .venv-checkov/bin/checkov

.venv-audit/.installed: tools/audit/requirements.txt
	@$(PYTHON) -m venv .venv-audit
	$(STEP) "Installing pip-audit and CycloneDX into .venv-audit, once" .venv-audit/bin/pip install --no-deps --requirement $<
	@touch $@

audit: install .venv-audit/.installed ## Known vulnerabilities of what the lock files name (asks pypi.org and npmjs.org)
	@python tools/audit/audit.py .venv-audit/bin/pip-audit

sbom: install .venv-audit/.installed ## List the parts in CycloneDX's form: sbom/python.cdx.json, sbom/node.cdx.json
	@mkdir -p sbom
	@PYTHONWARNINGS=ignore .venv-audit/bin/cyclonedx-py pipenv --categories default,tools,aws,develop --pyproject pyproject.toml --output-reproducible --output-file sbom/python.cdx.json
	@npm sbom --package-lock-only --sbom-format cyclonedx > sbom/node.cdx.json
	@ls sbom/python.cdx.json sbom/node.cdx.json

# Settings that were given, for a command that is named next.
GIVEN = $(strip $(foreach name,GATEWAY_PORT AWS_PORT WEB_PORT,$(if $(filter command environment,$(firstword $(origin $(name)))),$(name)=$($(name)))))

# The ports that are to be free, by the setting that moves each.
PORTS = GATEWAY_PORT=$(GATEWAY_PORT) AWS_PORT=$(AWS_PORT)
compare: PORTS += GATEWAY_PORT=$(call after,$(GATEWAY_PORT)) AWS_PORT=$(call after,$(AWS_PORT))
ui: PORTS += WEB_PORT=$(WEB_PORT) $(if $(WORKERS),MASTER_PORT=$(MASTER_PORT))

# Before anything is installed or started. LEAST: seconds of load in which a stop runs its course.
run: LEAST := 11
check-load:
	@for setting in 'RATE=$(RATE)' 'USERS=$(USERS)' 'DURATION=$(DURATION)'; do \
		echo "$$setting" | grep -Eqx '[A-Z]+=[0-9]*[1-9][0-9]*' || { \
			echo "$$setting is no load: give a whole number above 0, such as $${setting%%=*}=30." >&2; exit 2; }; done
	@[ $(DURATION) -ge $(or $(LEAST),1) ] || { \
		echo "DURATION=$(DURATION) ends before a stop has run its course: give $(LEAST) seconds or more." >&2; exit 2; }
	@$(PYTHON) tools/ports.py $(PORTS)

# Syntheses and byte code do not wait for each other; one of them speaks.
ready: $(VENV)/.installed
	@$(MAKE) --silent --no-print-directory -j 2 install $(or $(STACK),synth) QUIET=1

# On one twin for both ways to end: where `lab run` changes a setting of the task, it starts the tasks anew.
run: STACK := $(AT_ONCE)/.synthesized
run: check-load ready ## Stop a task under load, without a drain and with one (two minutes; RATE=100 USERS=16)
	@folder=results/run-$$(date -u +%Y%m%dT%H%M%SZ) && \
	stop_task="lab run stop-task --rate $(RATE) --users $(USERS) --no-wait --results $$folder" && \
	$(TWIN_UP) --synth $(AT_ONCE) -- $$stop_task --sweep drain_seconds=0,20 --duration $(DURATION) --outlast
	@printf '%s\n' '' 'Next:' \
		'  make compare$(if $(GIVEN), $(GIVEN))   stop, rollout, crash; with a load balancer too (three minutes)' \
		'  make ui$(if $(GIVEN), $(GIVEN))        the same stack, and Locust in your browser' \
		'  $(BIN)/lab costs --requests-per-second $(RATE)   (what a month costs)'

# Without a load balancer, for the application that ends at once and for the one that serves on; and at the same time on a
# second twin, whose stack has a load balancer, where half of the load takes each way.
compare: STACK := $(BOTH_WAYS)/.synthesized
compare: check-load ready ## Stop, rollout and crash, with and without a load balancer (three minutes; RATE, USERS)
	@if [ "$${SC_COMPARISON:-false}" != false ]; then \
		echo "make compare brings the load balancer itself: unset SC_COMPARISON." >&2; exit 2; fi
	@folder=results/compare-$$(date -u +%Y%m%dT%H%M%SZ) && mkdir -p $$folder && \
	events="lab run stop-task rollout crash --shortest --no-wait --no-summary --results $$folder" && \
	echo "What a second twin prints, the one with a load balancer: $$folder/load-balancer.log" && \
	python tools/side_by_side.py $$folder/load-balancer.log \
		"$(TWIN_UP) --synth $(AT_ONCE) -- $$events --users $(USERS) --rate $(RATE) --sweep drain_seconds=0,20" \
		"$(SECOND_UP) --synth $(BOTH_WAYS) -- $$events --users $$((2 * $(USERS))) --rate $$((2 * $(RATE)))" && \
	echo && lab table $$folder/*-study && printf '\nReport: ' && lab report $$folder/*-study
	@printf '%s\n' '' 'Next:' \
		"  docs/own-service.md   the same for a service of yours: twin up --command '...', lab run" \
		'  docs/decide.md        when to leave the load balancer out, and what else you lose' \
		'  $(BIN)/lab costs --requests-per-second $(RATE)   (what a month costs)'

# The upstream ends at once, so that what each of its two ways does about it is seen.
run-services: check-load $(VENV)/.installed ## Two services: stop and crash a task of the one that is called, by either way to it
	@$(MAKE) --silent --no-print-directory -j 2 install $(SERVICES)/.synthesized QUIET=1
	@folder=results/services-$$(date -u +%Y%m%dT%H%M%SZ) && \
	events="lab run stop-task crash --shortest --no-wait --users $(USERS) --rate $(RATE) --results $$folder" && \
	$(TWIN_UP) --synth $(SERVICES) --programs examples/services/twin.toml -- $$events --hop upstream --sweep drain_seconds=0

soak: ready ## Random faults on a twin under load, with checks all along (MINUTES=10 SEED=...)
	@python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

ui: check-load ready ## The twin, and Locust's web UI at http://127.0.0.1:8089 (RATE=100; WORKERS=4 for more processes)
	@$(TWIN_UP) -- sh -c 'echo "Locust: open http://127.0.0.1:$(WEB_PORT), press Start, and see the tab Hostnames. Ctrl-C ends both." >&2; exec "$$@"' sh \
		locust --host http://127.0.0.1:$(GATEWAY_PORT) --rate $(RATE) --users $(USERS) --spawn-rate $(USERS) --web-host 127.0.0.1 --web-port $(WEB_PORT) $(if $(WORKERS),--processes $(WORKERS) --master-bind-host 127.0.0.1 --master-bind-port $(MASTER_PORT) --master-port $(MASTER_PORT))

test: $(VENV)/.developed ## All of lint, and all tests (the longest: CI gives it 90 minutes)
	@$(MAKE) --no-print-directory -j 3 lint pytest

# More processes than cores: much of a test is waiting.
pytest: synth develop
	pytest -n 5 --dist loadfile --no-loadscope-reorder

# Ten minutes, on a machine that does nothing else.
bench: develop synth synth-services ## Measure speed beside what it is measured against, into benchmarks/results (FIGURES="gateway report": some)
	@python -m benchmarks $(FIGURES)

bench-compare: develop synth synth-services ## The same, and name what got slower than in OLD=FILE (NEW=FILE: compare two files)
	@$(if $(OLD),,echo "Say which run to compare with: make bench-compare OLD=benchmarks/results/FILE.json" >&2; exit 2)
	@python -m benchmarks $(FIGURES) --compare $(OLD) $(if $(NEW),--new $(NEW))

bench-page: develop ## Write docs/performance.md's tables and picture from RUN=benchmarks/results/FILE.json
	@python -m benchmarks.table $(RUN)

# Locust's newest release and the one before, each beside locust-plugins and what our locustfile needs, in a virtual environment of its own.
.venv-locust/%/.installed: $(VENV)/.developed
	$(PYTHON) -m venv $(@D)
	$(STEP) "Installing Locust $* into $(@D)" $(@D)/bin/pip install --quiet locust==$* locust-plugins boto3 pydantic
	@touch $@

LOCUSTS := 2.47.0 2.46.7

locust-versions: $(foreach v,$(LOCUSTS),.venv-locust/$v/.installed) ## The plugin for Locust with its newest release and the one before
	@for version in $(LOCUSTS); do \
		LOCUST_UNDER_TEST=$(CURDIR)/.venv-locust/$$version/bin/locust pytest -q tests/load/groups/test_foreign.py tests/load/groups/test_web.py || exit 1; done

# The cdktf command and cdktn are for one of its tests each, which is skipped where a registry has none.
conformance: $(VENV)/.developed ## The stack's variants by the real Terraform on an empty twin (K=default: one of them)
	$(if $(filter-out cdktf cdktn,$(K)),,-@$(MAKE) --no-print-directory node_modules/.installed .venv-cdktn/.installed)
	pytest tests/conformance $(if $(K),-k '$(K)')

clean: ## Remove what was made, .venv included
	rm -rf $(VENV) .venv-checkov .venv-audit .venv-cdktn .venv-locust node_modules sbom cdktf.out cdktf.endpoint.out .twin .twin.[0-9]*

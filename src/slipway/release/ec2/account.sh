# shellcheck shell=bash
# The account that `up` and `teardown` work in, and the stacks there. Runs on Linux and on a Mac's bash 3.2.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

STACK=${STACK:-slipway}
# shellcheck disable=SC2034  # for who reads this file
FOUNDATION=$STACK-foundation
STAGE=${STAGE:-}
# shellcheck disable=SC2034
BOX=$STACK${STAGE:+-$STAGE}-box

need() {   # PROGRAM PAGE
  command -v "$1" >/dev/null || die "$1 is not installed. Install it from $2"
}

account() {   # what must hold before anything is made or deleted
  [[ $STACK =~ ^[a-z][a-z0-9-]{0,40}$ ]] || die "STACK is \"$STACK\". Use lower-case letters, digits and hyphens."
  [[ $STAGE =~ ^(staging)?$ ]] || die "STAGE is \"$STAGE\", not staging. Leave it out for production."
  need aws 'https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html'
  export AWS_PAGER=''
  AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
  [ -n "$AWS_DEFAULT_REGION" ] || die 'no region is set. Set it, e.g. AWS_REGION=eu-west-1, and run this again.'
  export AWS_DEFAULT_REGION
  local identity
  identity=$(aws sts get-caller-identity --query Arn --output text) ||
    die "not logged in to AWS in $AWS_DEFAULT_REGION (see the error above). Check AWS_REGION, or run aws configure or aws sso login."
  say "as $identity in $AWS_DEFAULT_REGION"
}

status() {   # STACK: as AWS has it; nothing when there is none, and the end when AWS does not say: that is no absence
  local said
  if said=$(aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>&1); then
    printf '%s\n' "${said##*$'\n'}"
  elif [[ $said != *'does not exist'* ]]; then
    die "stack $1 cannot be read: $said"
  fi
}

settled() {   # STACK: its status once nothing is at work on it, such as a run of `up` that was cut off
  local found
  while :; do
    found=$(status "$1") || return
    case $found in REVIEW_IN_PROGRESS) break ;; *_IN_PROGRESS) ;; *) break ;; esac
    say "stack $1 is in state $found; waiting until it is done"
    sleep 10
  done
  printf '%s\n' "$found"
}

on_fargate() {   # the stacks of services that need the registry, the bucket and the roles, too
  local stack found
  for stack in "$STACK-fargate" "$STACK-fargate-staging"; do
    found=$(status "$stack") || return
    [ -z "$found" ] || echo "$stack"
  done
}

delete_stack() {
  local found
  found=$(settled "$1")
  [ -n "$found" ] || return 0
  say "deleting stack $1"
  # What cannot be lifted shows in the deletion, with AWS's reason.
  aws cloudformation update-termination-protection --stack-name "$1" --no-enable-termination-protection >/dev/null 2>&1 || true
  aws cloudformation delete-stack --stack-name "$1"
  aws cloudformation wait stack-delete-complete --stack-name "$1" ||
    die "stack $1 could not be deleted. Find the reason in the console, tab Events; fix it and run this again."
}

unprotect() {   # the instance, which CloudFormation could not delete otherwise
  local instance
  instance=$(output InstanceId <<<"$(outputs "$BOX" 2>/dev/null || true)")
  # What cannot be lifted shows in the deletion, with AWS's reason.
  [ -z "$instance" ] || aws ec2 modify-instance-attribute --instance-id "$instance" --no-disable-api-termination 2>/dev/null || true
}

parameter() {   # STACK NAME: the value it was made with
  aws cloudformation describe-stacks --stack-name "$1" --output text \
    --query "Stacks[0].Parameters[?ParameterKey=='$2'].ParameterValue"
}

outputs() {   # STACK: a line for each, NAME and value
  aws cloudformation describe-stacks --stack-name "$1" --output text --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]'
}

output() {   # NAME <lines of outputs
  awk -v name="$1" '$1 == name { print $2 }'
}

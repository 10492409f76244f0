# shellcheck shell=bash
# The account that `up` and `teardown` work in, and the stacks there. Runs on Linux and on a Mac's bash 3.2.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

STACK=${STACK:-slipway}
# shellcheck disable=SC2034  # for who reads this file
FOUNDATION=$STACK-foundation
# shellcheck disable=SC2034
BOX=$STACK-box

need() {   # PROGRAM PAGE
  command -v "$1" >/dev/null || die "$1 is not installed. Get it from $2"
}

account() {   # what must hold before anything is made or deleted
  [[ $STACK =~ ^[a-z][a-z0-9-]{0,40}$ ]] || die "STACK is \"$STACK\". Use lower-case letters, digits and hyphens."
  need aws 'https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html'
  export AWS_PAGER=''
  AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
  [ -n "$AWS_DEFAULT_REGION" ] || die 'no region is set. Put AWS_REGION=eu-west-1 (or yours) in front.'
  export AWS_DEFAULT_REGION
  local identity
  identity=$(aws sts get-caller-identity --query Arn --output text) ||
    die 'AWS does not know you, as it says above. Log in: aws configure, or aws sso login'
  say "as $identity in $AWS_DEFAULT_REGION"
}

exists() {   # STACK
  aws cloudformation describe-stacks --stack-name "$1" >/dev/null 2>&1
}

outputs() {   # STACK: a line for each, NAME and value
  aws cloudformation describe-stacks --stack-name "$1" --output text --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]'
}

output() {   # NAME <lines of outputs
  awk -v name="$1" '$1 == name { print $2 }'
}

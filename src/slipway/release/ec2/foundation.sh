# shellcheck shell=bash
# What every road needs of an account: registry, store and roles, and how a stack is made. After account.sh.

OWNER_ID=${OWNER_ID:-} REPOSITORY_ID=${REPOSITORY_ID:-}
templates=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

require_repository() {   # COMMAND
  [[ ${GITHUB_REPOSITORY:-} =~ ^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$ ]] ||
    die "GITHUB_REPOSITORY is not set to owner/name. Run: GITHUB_REPOSITORY=owner/name $1"
  need python3 'https://www.python.org/downloads/'
}

deploy() {   # STACK TEMPLATE NAME=VALUE…: parameters that are not named stay as they were; without a TEMPLATE it stays, too
  local stack=$1 template=(--use-previous-template) verb=create known='' found parameters answer
  [ -z "$2" ] || template=(--template-body "file://$2")
  shift 2
  found=$(settled "$stack")
  say "stack $stack"
  if [ "$found" = ROLLBACK_COMPLETE ]; then   # it was never made whole, holds nothing and can only be deleted
    delete_stack "$stack"
  elif [ -n "$found" ]; then
    verb=update
    known=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Parameters[].ParameterKey' --output text)
  fi
  parameters=$(python3 -c '
import json, sys
given = dict(each.split("=", 1) for each in sys.argv[2:])
said = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in sys.argv[1].split() if name not in given]
print(json.dumps(said + kept))' "$known" "$@")
  if ! answer=$(aws cloudformation "$verb-stack" --stack-name "$stack" "${template[@]}" \
      --capabilities CAPABILITY_IAM --parameters "$parameters" 2>&1); then
    [[ $answer != *'No updates are to be performed'* ]] || return 0
    die "stack $stack was refused: $answer"
  fi
  aws cloudformation wait "stack-$verb-complete" --stack-name "$stack" && return
  aws cloudformation describe-stack-events --stack-name "$stack" --output text \
    --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" >&2 || true
  die "stack $stack was not created (see the errors above). Fix them and run this again."
}

repository_on_github() {   # sets OWNER_ID, REPOSITORY_ID and private; fails where gh cannot ask
  command -v gh >/dev/null && gh auth status >/dev/null 2>&1 || return 1
  local numbers
  numbers=$(gh api "repos/$GITHUB_REPOSITORY" --jq '"\(.owner.id) \(.id) \(.private)"') ||
    die "you have no access to $GITHUB_REPOSITORY on GitHub. Check its name and your login: gh auth status"
  # shellcheck disable=SC2034  # for who reads this file
  read -r OWNER_ID REPOSITORY_ID private <<<"$numbers"
}

# shellcheck disable=SC2153  # STACK is of account.sh
require_own() {   # a second repository under the same STACK would take the deliveries of the first
  local owner number
  owner=$(parameter "$FOUNDATION" GitHubRepository)
  number=$(parameter "$FOUNDATION" GitHubRepositoryId)
  [ "$owner" = "$GITHUB_REPOSITORY" ] || { [ -n "$number" ] && [ "$number" = "$REPOSITORY_ID" ]; } ||   # renamed
    die "$STACK belongs to $owner. Set another STACK. If $owner was renamed: log in with gh, or set OWNER_ID and REPOSITORY_ID."
}

foundation() {   # CHECK NAME=VALUE…: parameters of this road; CHECK is run where the stack stands
  local check=$1 found
  shift
  local parameters=("GitHubRepository=$GITHUB_REPOSITORY" "ImageRepository=$STACK" "$@")
  [ -z "$REPOSITORY_ID" ] || parameters+=("GitHubOwnerId=$OWNER_ID" "GitHubRepositoryId=$REPOSITORY_ID")
  found=$(settled "$FOUNDATION")
  if [ -n "$found" ] && [ "$found" != ROLLBACK_COMPLETE ]; then
    require_own
    "$check"
  else   # later it is not asked again, for the provider may be the stack's own
    local provider
    provider=$(aws iam list-open-id-connect-providers --output text \
      --query "OpenIDConnectProviderList[?ends_with(Arn, ':oidc-provider/token.actions.githubusercontent.com')].Arn")
    parameters+=("OidcProviderArn=${provider/None/}")
  fi
  deploy "$FOUNDATION" "$templates/foundation.yaml" "${parameters[@]}"
}

"""What the templates promise, read from the templates."""

import re
from pathlib import Path

import pytest
from cfnlint.api import lint_file

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "src/slipway/release/ec2").glob("*.yaml"))
USER_DATA_LIMIT = 16_384
INLINE_LIMIT = 51_200

DELIVERY = {
    "*": {"ecr:GetAuthorizationToken"},
    "Repository": {
        "ecr:BatchCheckLayerAvailability",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:DescribeImages",
    },
    "Bucket": {"s3:ListBucket"},
    "${Bucket.Arn}/artifacts/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    "${Bucket.Arn}/artifacts/log/*": {"s3:DeleteObject"},
}
# What a box may do with the prediction log: add to it, and get the page of the last look.
LOG = {
    "${Bucket.Arn}/artifacts/log/raw/*": {"s3:PutObject"},
    "${Bucket.Arn}/artifacts/log/live.*": {"s3:GetObject"},
}
READ = {"*": {"ecr:GetAuthorizationToken"}, "Repository": {"ecr:BatchGetImage"}}
BOX = {
    "*": {
        "ecr:GetAuthorizationToken",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
    },
    "Repository": {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
    "${Bucket.Arn}/bootstrap/*": {"s3:GetObject"},
    **LOG,
    "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/slipway/${AWS::StackName}/*": {"ssm:GetParameter"},
}


@pytest.fixture
def foundation(template) -> dict:
    return {name: each.get("Properties", {}) for name, each in template("foundation")["Resources"].items()}


@pytest.fixture
def box(template) -> dict:
    return {name: each.get("Properties", {}) for name, each in template("box")["Resources"].items()}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path):
    assert [str(match) for match in lint_file(path)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_can_be_sent_inline(path):
    assert path.stat().st_size <= INLINE_LIMIT


@pytest.mark.parametrize(("role", "rights"), [("DeliveryRole", DELIVERY), ("ReadRole", READ), ("BoxRole", BOX)])
def test_a_role_has_exactly_the_rights_it_needs(foundation, role, rights):
    found: dict[str, set[str]] = {}
    for policy in foundation[role]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"]
            found.setdefault(place(statement["Resource"]), set()).update([actions] if isinstance(actions, str) else actions)
    assert found == rights
    assert "ManagedPolicyArns" not in foundation[role]


def place(resource: str | dict) -> str:
    """A resource in short: itself, what is substituted, or whose ARN it is."""
    if isinstance(resource, str):
        return resource
    if "Fn::Sub" in resource:
        return resource["Fn::Sub"]
    name, attribute = resource["Fn::GetAtt"]
    assert attribute == "Arn"
    return name


def test_the_store_alone_can_be_listed(foundation):
    statements = foundation["DeliveryRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    [listing] = [statement for statement in statements if statement["Action"] == "s3:ListBucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "artifacts/*"}}


def test_images_are_immutable_scanned_and_the_last_ones_are_kept(foundation):
    repository = foundation["Repository"]
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    policy = repository["LifecyclePolicy"]["LifecyclePolicyText"]["Fn::Sub"]
    assert '"countType": "imageCountMoreThan", "countNumber": ${KeepImages}' in policy


def test_the_box_of_another_stack_may_pull_where_it_is_named_and_nobody_else(foundation):
    condition, policy, nothing = foundation["Repository"]["RepositoryPolicyText"]["Fn::If"]
    assert (condition, nothing) == ("OtherBox", {"Ref": "AWS::NoValue"})
    [statement] = policy["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "OtherBoxRoleArn"}}
    assert set(statement["Action"]) == BOX["Repository"]


def test_the_box_of_another_stack_may_add_to_the_log_and_nothing_else(foundation):
    _, *given = foundation["BucketPolicy"]["PolicyDocument"]["Statement"]
    conditions, statements, absent = zip(*(each["Fn::If"] for each in given))
    assert set(conditions) == {"OtherBox"} and list(absent) == [{"Ref": "AWS::NoValue"}] * len(given)
    assert all(each["Effect"] == "Allow" and each["Principal"] == {"AWS": {"Ref": "OtherBoxRoleArn"}} for each in statements)
    assert {place(each["Resource"]): {each["Action"]} for each in statements} == LOG


def test_the_bucket_is_private_versioned_and_encrypted(foundation):
    bucket = foundation["Bucket"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(names, True)


def test_the_bucket_drops_old_versions_and_never_what_is_current(foundation):
    """Bundles, the journal and archives of the bootstrap are current versions: no rule may name an age of those."""
    rules = foundation["Bucket"]["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" and "Prefix" not in rule for rule in rules)
    assert {name for rule in rules for name in rule} - {"Id", "Status"} == {
        "AbortIncompleteMultipartUpload",
        "NoncurrentVersionExpiration",
    }
    [days] = [rule["NoncurrentVersionExpiration"] for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert days == {"NoncurrentDays": 90}


def test_the_bucket_is_reached_over_tls_only(foundation):
    statement, *others = foundation["BucketPolicy"]["PolicyDocument"]["Statement"]
    assert all(list(each) == ["Fn::If"] for each in others)
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]


def test_a_provider_is_made_only_where_there_is_none(template):
    document = template("foundation")
    assert document["Resources"]["OidcProvider"]["Condition"] == "MakeProvider"
    assert document["Conditions"]["MakeProvider"] == {"Fn::Equals": [{"Ref": "OidcProviderArn"}, ""]}


def test_the_box_is_open_for_http_and_https_and_nothing_else(box):
    rules = box["SecurityGroup"]["SecurityGroupIngress"]
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules] == [("tcp", 80, 80), ("tcp", 443, 443)]
    assert "KeyName" not in box["Instance"]


def test_containers_do_not_reach_the_instance_role(box):
    options = box["Instance"]["MetadataOptions"]
    assert options == {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_the_disk_is_encrypted_and_of_the_documented_size(box):
    [disk] = box["Instance"]["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert (disk["Ebs"]["VolumeSize"], disk["Ebs"]["VolumeType"]) == (16, "gp3")


def test_the_documented_instance_is_that_of_the_template_and_holds_four_releases(template):
    kind = template("box")["Parameters"]["InstanceType"]["Default"]
    page = (ROOT / "docs" / "ec2.md").read_text()
    assert f"| instance `{kind}` |" in page and f"Ubuntu Server 24.04 LTS; `{kind}`;" in page
    [megabytes] = re.findall(r'^memory = "([0-9]+)m"', (ROOT / "src/slipway/release/ec2/bootstrap").read_text(), re.M)
    assert kind == "t3.medium", "another type has other memory than 4 GB: count again"
    together = 4 * int(megabytes) + 700
    assert f"| **together** | **{together:,}** |" in page and together < 3_800


def test_the_costs_add_up():
    page = (ROOT / "docs" / "ec2.md").read_text()
    table = page[page.index("## What it costs") : page.index("The first 100 GB of traffic")]
    *costs, total = (float(each) for each in re.findall(r"\| \**([0-9]+\.[0-9]{2})\** \|$", table, re.M))
    assert len(costs) == 6 and sum(costs) == pytest.approx(total)


def test_a_box_that_computes_much_gets_slower_and_not_dearer(box):
    assert box["Instance"]["CreditSpecification"] == {"CPUCredits": "standard"}


def test_a_box_that_hangs_is_restarted_and_somebody_told(template, box):
    alarm = box["Hanging"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EC2", "StatusCheckFailed_Instance")
    assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": {"Ref": "Instance"}}]
    restart, tell = alarm["AlarmActions"]
    assert restart == {"Fn::Sub": "arn:${AWS::Partition}:automate:${AWS::Region}:ec2:reboot"}
    assert tell == {"Fn::If": ["Somebody", {"Ref": "Alarms"}, {"Ref": "AWS::NoValue"}]}
    assert template("box")["Resources"]["Alarms"]["Condition"] == "Somebody"
    assert box["Alarms"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "Email"}}]


def test_a_box_is_set_up_by_one_run_at_a_time(box):
    """The first boot and `up`, or two of `up`, would write the same files at once."""
    text, _ = box["Instance"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert text.index("flock") < text.index("apt-get") < text.index("./bootstrap")


def test_an_update_of_what_a_box_is_set_up_with_does_not_stop_it(box):
    """CloudFormation stops an instance to change its user data: nothing in them may change from one `up` to the next."""
    text, names = box["Instance"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert set(names) == {"Bucket"}
    assert not {"${Archive}", "${Settings}"} & set(text.split())
    assert box["Bootstrap"]["Value"] == {"Fn::Sub": "${Archive} ${Settings}"}


def test_the_user_data_are_within_their_limit(box):
    text, _ = box["Instance"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert text.startswith("#!/bin/bash\n")
    assert len(text.encode()) < USER_DATA_LIMIT / 2

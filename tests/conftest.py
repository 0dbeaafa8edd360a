"""No test asks a nameserver of this machine: what is enrolled and sent to does not depend on where tests run."""

import os

# For this process and those that tests start; a test that asks one of its own says so in campaign.yaml.
os.environ["CAMPAIGN_DNS"] = "off"

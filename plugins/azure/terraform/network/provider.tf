# Credentials come from the environment, never from a file beside this one.
provider "azurerm" {
  subscription_id                 = var.subscription_id
  resource_provider_registrations = "none"

  features {}
}

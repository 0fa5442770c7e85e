"""Where the gateway delivers to."""

from django.urls import path

from webhooks.views import webhook

urlpatterns = [path("webhooks/<str:source>", webhook)]

"""URLs of the votes app: the volunteers' pages."""

from django.urls import path

from arena.votes import account_views, flag_views, personal_views, prompt_views, settings_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("privacy/", views.privacy, name="privacy"),
    path("settings/", settings_views.settings_page, name="settings"),
    path("account/", account_views.account, name="account"),
    path("account/in", account_views.sign_in, name="sign-in"),
    path("account/new", account_views.sign_up, name="sign-up"),
    path("account/password", account_views.change_password, name="change-password"),
    path("account/join", account_views.join_account, name="join-account"),
    path("account/out", account_views.sign_out, name="sign-out"),
    path("account/end", account_views.end_account, name="end-account"),
    path("me/", personal_views.me, name="me"),
    path("me/reveal", personal_views.reveal_votes, name="reveal-votes"),
    path("polls/<slug:kind>/", views.booth, name="booth"),
    path("polls/<slug:kind>/vote", views.vote, name="vote"),
    path("polls/<slug:kind>/prompt", prompt_views.type_prompt, name="type-prompt"),
    path("images/<slug:key>.png", views.image, name="image"),
    path("images/<slug:key>/flag", flag_views.flag_image, name="flag-image"),
    path("votes/<slug:token>/", views.answered, name="answered"),
    path("votes/<slug:token>/reveal", views.reveal, name="reveal"),
    path("votes/<slug:token>/undo", views.undo, name="undo"),
    path("prompts/<slug:token>/", prompt_views.watch, name="prompt"),
    path("prompts/<slug:token>/state", prompt_views.state, name="prompt-state"),
    path("prompts/<slug:token>/cancel", prompt_views.cancel, name="prompt-cancel"),
]

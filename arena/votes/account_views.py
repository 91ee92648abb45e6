"""The pages of an account: making one, signing in and out, another password, and its end."""

from typing import Any

from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UserCreationForm
from django.contrib.auth.models import User
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from arena.votes.accounts import join
from arena.votes.limits import limit_sign_ins
from arena.votes.models import Vote
from arena.votes.pages import View, refusing
from arena.votes.voters import COOKIE, current_voter, own_by, remember

BACKEND = "django.contrib.auth.backends.ModelBackend"


def form_page(view: View) -> View:
    """What the pages with a password have in common."""
    methods = require_http_methods(["GET", "HEAD", "POST"])
    return never_cache(methods(sensitive_post_parameters()(refusing(view))))


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Whose history this is, or what an account is good for."""
    voter = current_voter(request)
    context: dict[str, Any] = {"section": "me"}
    if request.user.is_authenticated:
        context["votes"] = Vote.objects.filter(ticket__voter__user=request.user).count()
        context["joined"] = voter is not None and voter.user_id == request.user.pk
    else:
        context["votes"] = Vote.objects.filter(**own_by(voter, "ticket__voter")).count() if voter else 0
    return render(request, "votes/account.html", context)


@form_page
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with this browser; its votes join the account."""
    form = AuthenticationForm(request, data=request.POST or None)
    if sent(request, form):
        return enter(request, form.get_user())
    return page(request, form, _("Sign in"))


@form_page
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of a name and a password, and sign in."""
    form = UserCreationForm(request.POST or None)
    if sent(request, form):
        return enter(request, form.save())
    return page(request, form, _("Make an account"))


@form_page
def change_password(request: HttpRequest) -> HttpResponse:
    """Another password; other browsers are signed out, and keep their voter."""
    if not request.user.is_authenticated:
        return redirect("sign-in")
    form = PasswordChangeForm(request.user, request.POST or None)
    if sent(request, form):
        update_session_auth_hash(request, form.save())
        return redirect("account")
    return page(request, form, _("Change the password"))


@never_cache
@require_POST
def join_account(request: HttpRequest) -> HttpResponse:
    """Add this browser's votes to the account of somebody who signed in elsewhere, such as under /admin/."""
    response = redirect("account")
    if request.user.is_authenticated:
        remember(response, join(request.user, current_voter(request)))
    return response


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out; the next person at this browser is a new voter."""
    logout(request)
    return forgotten()


@never_cache
@require_POST
def end_account(request: HttpRequest) -> HttpResponse:
    """Delete the account. Its votes stay, as those of voters without one; accounts of the admin end in the admin."""
    if not request.user.is_authenticated or request.user.is_staff:
        return redirect("account")
    User.objects.get(pk=request.user.pk).delete()
    logout(request)
    return forgotten()


def sent(request: HttpRequest, form: Form) -> bool:
    """Whether the form was sent and is right. Raises TooMany, since passwords are guessed by trying."""
    if request.method != "POST":
        return False
    limit_sign_ins(request, request.path)
    return form.is_valid()


def page(request: HttpRequest, form: Form, title: str) -> HttpResponse:
    """The form, with what is wrong with it."""
    context = {"section": "me", "form": form, "title": title}
    return render(request, "votes/account_form.html", context, status=400 if form.errors else 200)


def enter(request: HttpRequest, user: User) -> HttpResponse:
    """Sign in, and go on as a voter of the account."""
    voter = current_voter(request)
    login(request, user, backend=BACKEND)
    response = redirect("account")
    remember(response, join(user, voter))
    return response


def forgotten() -> HttpResponse:
    """Back to the account's page, as a browser without a voter."""
    response = redirect("account")
    response.delete_cookie(COOKIE, samesite="Lax")
    return response

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/base64.h"
#include "common/json.h"

#include "runtime/image/registry_internal.h"
#include "runtime/image/url.h"

/*
 * The token protocol of distribution (docs/spec/auth/token.md, oauth.md): the registry names a
 * server, which gives a token for the scopes asked for, to us or to anybody.
 */

#define AUTH_ROUNDS_MAX 2
#define TOKEN_MAX       (64 << 10)
#define CLIENT_ID       "berth"

/* "repository:library/nginx:pull"; with a second one for what is mounted from elsewhere. */
static char *scope_of(const struct registry_request *request)
{
	struct strbuf scope = {0};

	if (request->repository)
		strbuf_addf(&scope, "repository:%s:%s", request->repository,
			    request->writes ? "pull,push" : "pull");
	if (request->mount_from)
		strbuf_addf(&scope, " repository:%s:pull", request->mount_from);
	return strbuf_take(&scope);
}

/* The user's credentials for that server; whatever is wrong with them is said only once. */
static bool find_credentials(struct registry_request *request, struct error *err)
{
	struct registry_endpoint *endpoint = request->endpoint;
	const struct auth_credentials *given = map_get(&request->registry->given, endpoint->name);
	int r;

	if (endpoint->asked_credentials)
		return endpoint->has_credentials;
	if (given) {
		endpoint->credentials = (struct auth_credentials){
			.username = alloc_string(given->username),
			.password = alloc_string(given->password),
			.identity_token = alloc_string(given->identity_token),
			.registry_token = alloc_string(given->registry_token),
		};
		r = 1;
	} else {
		r = auth_find(endpoint->name, &endpoint->credentials, err);
	}
	endpoint->asked_credentials = r >= 0;
	endpoint->has_credentials = r > 0;
	return r > 0;
}

static char *basic(const struct auth_credentials *credentials)
{
	_cleanup_free_ char *pair =
		str_printf("%s:%s", credentials->username ?: "", credentials->password ?: "");
	_cleanup_free_ char *encoded = base64_encode(pair, strlen(pair));

	explicit_bzero(pair, strlen(pair));
	return str_printf("Basic %s", encoded);
}

char *registry_authorization(struct registry_request *request)
{
	struct registry_endpoint *endpoint = request->endpoint;
	_cleanup_free_ char *scope = NULL;
	const char *token;

	if (endpoint->challenge.scheme == AUTH_BASIC)
		return endpoint->has_credentials && endpoint->credentials.username
			       ? basic(&endpoint->credentials)
			       : NULL;
	if (endpoint->challenge.scheme != AUTH_BEARER)
		return NULL;
	scope = scope_of(request);
	token = map_get(&endpoint->tokens, scope);
	return token ? str_printf("Bearer %s", token) : NULL;
}

/* It goes into a header. */
static bool token_valid(const char *token)
{
	size_t n = token ? strlen(token) : 0;

	if (n == 0 || n > TOKEN_MAX)
		return false;
	for (; *token; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

static int take_token(struct registry_request *request, const struct exchange *exchange,
		      struct error *err)
{
	struct registry_endpoint *endpoint = request->endpoint;
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *scope = scope_of(request);
	const char *token, *identity;

	if (json_parse(exchange->text.data ?: "", exchange->text.length, &json, err) < 0)
		return error_wrap(err, "its answer");
	token = json_get_string(json, "token");
	if (!token)
		token = json_get_string(json, "access_token");
	if (!token_valid(token))
		return error_set(err, EBADMSG, "its answer has no token");
	free(map_set(&endpoint->tokens, scope, alloc_string(token)));
	identity = json_get_string(json, "refresh_token");
	if (token_valid(identity)) {
		free(endpoint->identity_token);
		endpoint->identity_token = alloc_string(identity);
	}
	return 0;
}

static void explain(const struct registry_request *request, const struct exchange *exchange,
		    struct error *err)
{
	const struct registry_endpoint *endpoint = request->endpoint;
	_cleanup_free_ char *said = registry_error_text(exchange->text.data, exchange->text.length);
	bool hub = strcmp(endpoint->name, REGISTRY_HUB) == 0;

	if (exchange->status != 401 && exchange->status != 403)
		error_set(err, EPROTO, "registry %s: its token server answers with status %d%s%s",
			  endpoint->name, exchange->status, said ? ": " : "", said ? said : "");
	else if (endpoint->has_credentials)
		error_set(err, EACCES,
			  "registry %s does not accept the credentials for it%s%s; `berth login "
			  "%s` renews them",
			  endpoint->name, said ? ": " : "", said ? said : "",
			  hub ? "" : endpoint->name);
	else
		error_set(err, EACCES, "registry %s denies access%s%s; it takes `berth login %s`",
			  endpoint->name, said ? ": " : "", said ? said : "",
			  hub ? "" : endpoint->name);
}

static void token_answered(struct exchange *exchange)
{
	struct registry_request *request = exchange->data;
	struct error error = exchange->error;

	if (exchange->failure != EXCHANGE_ANSWERED) {
		error_wrap(&error, "registry %s: its token server %.*s", request->endpoint->name,
			   (int)strcspn(exchange->url, "?"), exchange->url);
		if (exchange->failure == EXCHANGE_BROKEN)
			registry_retry(request, &error, NULL);
		else
			registry_fail(request, &error);
		return;
	}
	if (exchange->status == 200) {
		if (take_token(request, exchange, &error) < 0) {
			error_wrap(&error, "registry %s: token server", request->endpoint->name);
			registry_fail(request, &error);
			return;
		}
		registry_resend(request);
		return;
	}
	explain(request, exchange, &error);
	if (exchange->status == 429 || exchange->status >= 500)
		registry_retry(request, &error, exchange->retry_after);
	else
		registry_fail(request, &error);
}

static void add_parameter(struct strbuf *text, const char *name, const char *value)
{
	_cleanup_free_ char *escaped = value ? url_escape(value) : NULL;

	if (value)
		strbuf_addf(text, "%s%s=%s", text->length ? "&" : "", name, escaped);
}

static void add_scopes(struct strbuf *query, const char *scope, bool one)
{
	_cleanup_strv_ char **scopes = one ? NULL : strv_split(scope, " ");

	if (one && *scope)
		add_parameter(query, "scope", scope);
	strv_foreach(each, scopes)
		add_parameter(query, "scope", each);
}

/* OAuth2's form, for those who have an identity token instead of a password. */
static struct exchange *ask_with_identity(const struct registry_endpoint *endpoint,
					  const char *scope)
{
	struct exchange *exchange = exchange_new("POST", endpoint->challenge.realm);
	struct strbuf form = {0};

	add_parameter(&form, "grant_type", "refresh_token");
	add_parameter(&form, "service", endpoint->challenge.service);
	add_parameter(&form, "client_id", CLIENT_ID);
	add_scopes(&form, scope, true);
	add_parameter(&form, "refresh_token", endpoint->credentials.identity_token);
	exchange_header(exchange, "Content-Type: application/x-www-form-urlencoded");
	exchange->body_size = form.length;
	exchange->body = strbuf_take(&form);
	return exchange;
}

static struct exchange *ask_with_password(const struct registry_request *request, const char *scope)
{
	const struct registry_endpoint *endpoint = request->endpoint;
	const char *realm = endpoint->challenge.realm;
	_cleanup_strbuf_ struct strbuf query = {0};
	_cleanup_free_ char *url = NULL, *authorization = NULL;
	struct exchange *exchange;

	add_parameter(&query, "service", endpoint->challenge.service);
	add_scopes(&query, scope, false);
	add_parameter(&query, "client_id", CLIENT_ID);
	if (endpoint->has_credentials)
		add_parameter(&query, "account", endpoint->credentials.username);
	if (!request->repository)
		add_parameter(&query, "offline_token", "true");
	url = str_printf("%s%s%s", realm, strchr(realm, '?') ? "&" : "?", query.data);
	exchange = exchange_new("GET", url);
	if (endpoint->has_credentials && endpoint->credentials.username) {
		authorization = basic(&endpoint->credentials);
		exchange_header(exchange, "Authorization: %s", authorization);
	}
	return exchange;
}

/* Credentials go to the server that the registry names: only over TLS, if it has that itself. */
static int check_realm(struct registry_request *request, const struct transport_tls **ret_tls,
		       bool *ret_direct, struct error *err)
{
	const struct registry_endpoint *endpoint = request->endpoint;
	struct url url = {0};
	int r = 0;

	if (url_resolve(NULL, endpoint->challenge.realm, &url, err) < 0)
		return error_wrap(err, "registry %s: token server", endpoint->name);
	if (!endpoint->plain && strcmp(url.scheme, "https") != 0 && !endpoint->tls.insecure)
		r = error_set(err, EPROTO,
			      "registry %s: its token server %.120s is not to be trusted with "
			      "credentials: it has no TLS",
			      endpoint->name, url.text);
	if (r == 0)
		*ret_tls = registry_foreign_tls(request->registry, url.authority, err);
	if (r == 0 && !*ret_tls)
		r = -err->code;
	*ret_direct = registry_is_local(url.authority);
	url_done(&url);
	return r;
}

static void ask_token(struct registry_request *request)
{
	struct registry_endpoint *endpoint = request->endpoint;
	_cleanup_free_ char *key = scope_of(request);
	const char *scope = endpoint->challenge.scope ? endpoint->challenge.scope : key;
	const struct transport_tls *tls = NULL;
	struct error error = ERROR_INIT;
	struct exchange *exchange;
	bool direct = false;

	if (endpoint->credentials.registry_token) {
		free(map_set(&endpoint->tokens, key,
			     alloc_string(endpoint->credentials.registry_token)));
		registry_resend(request);
		return;
	}
	if (check_realm(request, &tls, &direct, &error) < 0) {
		registry_fail(request, &error);
		return;
	}
	exchange = endpoint->has_credentials && endpoint->credentials.identity_token
			   ? ask_with_identity(endpoint, scope)
			   : ask_with_password(request, scope);
	exchange->tls = tls;
	exchange->direct = direct;
	exchange->done = token_answered;
	exchange->data = request;
	exchange_free(request->exchange);
	request->exchange = exchange;
	transport_start(request->registry->transport, exchange);
}

void registry_authenticate(struct registry_request *request)
{
	struct registry_endpoint *endpoint = request->endpoint;
	struct auth_challenge challenge;
	struct error error = ERROR_INIT;
	bool known;

	/* A token may have run out meanwhile: once more, but not for ever. */
	if (request->auth_rounds++ >= AUTH_ROUNDS_MAX) {
		registry_refuse(request);
		return;
	}
	if (auth_challenge_parse(request->exchange->challenges, &challenge, &error) < 0) {
		error_wrap(&error, "registry %s", endpoint->name);
		registry_fail(request, &error);
		return;
	}
	auth_challenge_done(&endpoint->challenge);
	endpoint->challenge = challenge;
	known = find_credentials(request, &error);
	if (error.code) {
		registry_fail(request, &error);
	} else if (challenge.scheme == AUTH_BEARER) {
		ask_token(request);
	} else if (!known || !endpoint->credentials.username || request->auth_rounds > 1) {
		registry_refuse(request);
	} else {
		registry_resend(request);
	}
}

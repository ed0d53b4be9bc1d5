/*
 * CSPa24.so of the stand-in: an Apache module with the directives of the real
 * gateway's. It starts the gateway program when Apache starts, and hands
 * requests to it over a Unix socket beside the module. All knowledge of
 * servers and CSP.ini is in that program.
 */
#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "unixd.h"
#include "apr_strings.h"
#include "apr_thread_proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

module AP_MODULE_DECLARE_DATA csp_module_sa;

#define DEFAULT_DIR "/opt/webgateway/bin"
#define MAX_BODY (1 << 20)
#define MAX_ANSWER (8 << 20)

static const char *module_path = DEFAULT_DIR;
static const char *config_path = NULL;

typedef struct {
	int on; /* -1: not said */
	apr_array_header_t *types;
} dir_conf;

static void *create_dir(apr_pool_t *p, char *dir)
{
	dir_conf *c = apr_pcalloc(p, sizeof *c);
	c->on = -1;
	return c;
}

static void *merge_dir(apr_pool_t *p, void *outer, void *inner)
{
	dir_conf *o = outer, *i = inner, *c = apr_pcalloc(p, sizeof *c);
	c->on = i->on >= 0 ? i->on : o->on;
	c->types = i->types ? i->types : o->types;
	return c;
}

static const char *set_on(cmd_parms *cmd, void *conf, int on)
{
	((dir_conf *)conf)->on = on;
	return NULL;
}

static const char *add_type(cmd_parms *cmd, void *conf, const char *type)
{
	dir_conf *c = conf;
	if (c->types == NULL)
		c->types = apr_array_make(cmd->pool, 4, sizeof(const char *));
	APR_ARRAY_PUSH(c->types, const char *) = type;
	return NULL;
}

static const char *set_path(cmd_parms *cmd, void *conf, const char *path)
{
	size_t n = strlen(path);
	char *clean = apr_pstrdup(cmd->pool, path);
	while (n > 1 && clean[n - 1] == '/')
		clean[--n] = 0;
	*(const char **)cmd->info = clean;
	return NULL;
}

static const command_rec commands[] = {
	AP_INIT_FLAG("CSP", set_on, NULL, ACCESS_CONF | RSRC_CONF | OR_OPTIONS, "On: requests go to the gateway"),
	AP_INIT_ITERATE("CSPFileTypes", add_type, NULL, ACCESS_CONF | RSRC_CONF | OR_OPTIONS, "endings that go to the gateway"),
	AP_INIT_TAKE1("CSPModulePath", set_path, &module_path, RSRC_CONF, "directory of the gateway"),
	AP_INIT_TAKE1("CSPConfigPath", set_path, &config_path, RSRC_CONF, "directory of CSP.ini"),
	{ NULL }
};

/* reset forgets the paths of the configuration before. */
static int reset(apr_pool_t *p, apr_pool_t *log, apr_pool_t *tmp)
{
	module_path = DEFAULT_DIR;
	config_path = NULL;
	return OK;
}

static int start_gateway(apr_pool_t *p, apr_pool_t *log, apr_pool_t *tmp, server_rec *s)
{
	const char *args[7];
	apr_procattr_t *attr;
	apr_proc_t *proc = apr_pcalloc(p, sizeof *proc);
	apr_status_t rv;

	if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
		return OK; /* Apache reads its configuration twice */
	args[0] = apr_pstrcat(p, module_path, "/standin", NULL);
	args[1] = "gateway";
	args[2] = module_path;
	args[3] = config_path ? config_path : module_path;
	args[4] = apr_psprintf(p, "%ld", (long)ap_unixd_config.user_id);
	args[5] = apr_psprintf(p, "%ld", (long)ap_unixd_config.group_id);
	args[6] = NULL;
	rv = apr_procattr_create(&attr, p);
	if (rv == APR_SUCCESS)
		rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV);
	if (rv == APR_SUCCESS)
		rv = apr_proc_create(proc, args[0], args, NULL, attr, p);
	if (rv != APR_SUCCESS) {
		ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "csp_module_sa: cannot start %s", args[0]);
		return OK; /* pages will say so */
	}
	apr_pool_note_subprocess(p, proc, APR_KILL_AFTER_TIMEOUT);
	return OK;
}

/* dial waits a while, as the gateway may be starting. */
static int dial(void)
{
	struct sockaddr_un addr;
	int n, fd;

	memset(&addr, 0, sizeof addr);
	addr.sun_family = AF_UNIX;
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/gateway.sock", module_path);
	for (n = 0; n < 100; n++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -1;
		if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
			return fd;
		close(fd);
		usleep(50000);
	}
	return -1;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int wanted(request_rec *r)
{
	dir_conf *c = ap_get_module_config(r->per_dir_config, &csp_module_sa);
	const char *dot = strrchr(r->uri, '.');
	int n;

	if (c->on == 1 || (r->handler && strcmp(r->handler, "csp-handler-sa") == 0))
		return 1;
	if (c->on == 0 || c->types == NULL || dot == NULL)
		return 0;
	for (n = 0; n < c->types->nelts; n++)
		if (strcasecmp(dot + 1, APR_ARRAY_IDX(c->types, n, const char *)) == 0)
			return 1;
	return 0;
}

static char *read_body(request_rec *r, long *size)
{
	char *body = apr_palloc(r->pool, MAX_BODY);
	long n;

	*size = 0;
	if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK)
		return NULL;
	if (!ap_should_client_block(r))
		return body;
	while (*size < MAX_BODY && (n = ap_get_client_block(r, body + *size, (apr_size_t)(MAX_BODY - *size))) > 0)
		*size += n;
	return *size < MAX_BODY ? body : NULL;
}

static int pass_on(request_rec *r, char *answer, size_t size)
{
	char *end = strstr(answer, "\r\n\r\n"), *line, *next, *value;

	if (end == NULL || size < 12 || strncmp(answer, "HTTP/1.", 7) != 0)
		return HTTP_BAD_GATEWAY;
	*end = 0;
	r->status = (answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0');
	for (line = strstr(answer, "\r\n"); line != NULL; line = next) {
		line += 2;
		next = strstr(line, "\r\n");
		if (next != NULL)
			*next = 0;
		value = strchr(line, ':');
		if (value == NULL)
			continue;
		*value++ = 0;
		while (*value == ' ')
			value++;
		if (strcasecmp(line, "Content-Type") == 0)
			ap_set_content_type(r, apr_pstrdup(r->pool, value));
		else if (strcasecmp(line, "Set-Cookie") == 0 || strncasecmp(line, "X-", 2) == 0)
			apr_table_add(r->err_headers_out, line, value);
	}
	end += 4;
	if (!r->header_only)
		ap_rwrite(end, (int)(size - (size_t)(end - answer)), r);
	return OK;
}

static int handle(request_rec *r)
{
	const char *cookie = apr_table_get(r->headers_in, "Cookie");
	char *head, *body, *answer;
	size_t got = 0;
	long size;
	ssize_t n;
	int fd;

	if (!wanted(r))
		return DECLINED;
	body = read_body(r, &size);
	if (body == NULL)
		return HTTP_REQUEST_ENTITY_TOO_LARGE;
	head = apr_psprintf(r->pool, "%s %s HTTP/1.0\r\nHost: %s\r\nX-Forwarded-For: %s\r\nContent-Length: %ld\r\n%s%s%s\r\n", r->method,
		r->unparsed_uri, r->hostname ? r->hostname : "localhost", r->useragent_ip, size,
		cookie ? "Cookie: " : "", cookie ? cookie : "", cookie ? "\r\n" : "");
	fd = dial();
	if (fd < 0) {
		ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "csp_module_sa: the gateway does not answer at %s/gateway.sock", module_path);
		return HTTP_SERVICE_UNAVAILABLE;
	}
	if (send_all(fd, head, strlen(head)) < 0 || send_all(fd, body, (size_t)size) < 0) {
		close(fd);
		return HTTP_BAD_GATEWAY;
	}
	answer = apr_palloc(r->pool, MAX_ANSWER + 1);
	while (got < MAX_ANSWER && (n = read(fd, answer + got, MAX_ANSWER - got)) > 0)
		got += (size_t)n;
	close(fd);
	answer[got] = 0;
	return pass_on(r, answer, got);
}

static void hooks(apr_pool_t *p)
{
	ap_hook_pre_config(reset, NULL, NULL, APR_HOOK_MIDDLE);
	ap_hook_post_config(start_gateway, NULL, NULL, APR_HOOK_MIDDLE);
	ap_hook_handler(handle, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA csp_module_sa = {
	STANDARD20_MODULE_STUFF, create_dir, merge_dir, NULL, NULL, commands, hooks
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

void lab_scene_named(struct lab_scene *scene, enum lab_family family, unsigned int port, const char *server_comm)
{
	scene->family = family;
	scene->port = port;
	lab_actor_start(&scene->server, &scene->net, server_comm);
	lab_actor_start(&scene->client, &scene->net, "lab-client");
	scene->listener = (int)lab_must(&scene->server, deed_listen, family, port, 512);
}

void lab_scene_in(struct lab_scene *scene, enum lab_family family, unsigned int port)
{
	lab_scene_named(scene, family, port, "lab-server");
}

void lab_scene_make(struct lab_scene *scene, enum lab_family family, unsigned int port)
{
	*scene = (struct lab_scene){0};
	lab_net_make(&scene->net);
	lab_scene_in(scene, family, port);
}

void lab_scene_connect(struct lab_scene *scene, unsigned int source_port, struct lab_connection *ret_connection)
{
	struct lab_connection connection = {.local = scene->port};

	connection.client_fd = (int)lab_must(&scene->client, deed_connect, scene->family, scene->port, source_port);
	connection.server_fd = (int)lab_must(&scene->server, deed_accept, scene->listener);
	connection.remote = (unsigned int)lab_must(&scene->client, deed_port, connection.client_fd);
	*ret_connection = connection;
}

void lab_scene_half_close(struct lab_scene *scene, struct lab_connection *ret_connection)
{
	lab_scene_connect(scene, 0, ret_connection);
	lab_must(&scene->client, deed_shutdown, ret_connection->client_fd);
	lab_net_wait_state(&scene->net, ret_connection->local, ret_connection->remote, LAB_CLOSE_WAIT);
}

void lab_scene_leak(struct lab_scene *scene, struct lab_connection *ret_connection)
{
	lab_scene_connect(scene, 0, ret_connection);
	lab_must(&scene->client, deed_close, ret_connection->client_fd);
	lab_must(&scene->server, deed_read_to_end, ret_connection->server_fd); /* which is in CLOSE_WAIT by then */
}

int lab_scene_state(const struct lab_scene *scene, const struct lab_connection *connection)
{
	return lab_net_socket(&scene->net, connection->local, connection->remote).state;
}

void lab_scene_end(struct lab_scene *scene)
{
	lab_actor_end(&scene->server);
	lab_actor_end(&scene->client);
}

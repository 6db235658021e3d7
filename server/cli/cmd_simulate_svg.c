#include "server/cli/cmd_simulate_view.h"

#include <math.h>

enum {
    WIDTH = 1000,
    HEIGHT = 540,
    LEFT = 70,
    RIGHT = 250, /* legend */
    TOP = 50,
    BOTTOM = 50,
    HOUR_LINES_MAX = 12,
};

/* Told apart without relying on red and green; then again with dashes. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000"};

struct canvas {
    struct rw_buf *into;
    double seconds;
    double decades; /* of endpoints */
};

static double x_of(const struct canvas *c, int64_t at_s)
{
    return LEFT + (double)at_s / c->seconds * (WIDTH - LEFT - RIGHT);
}

/* Logarithmic; nothing stands on the axis. */
static double y_of(const struct canvas *c, int64_t endpoints)
{
    double decades = endpoints < 1 ? 0.0 : log10((double)endpoints);
    return HEIGHT - BOTTOM - decades / c->decades * (HEIGHT - TOP - BOTTOM);
}

static RW_RC draw_grid(const struct canvas *c, struct rw_err *err)
{
    int64_t hours = (int64_t)(c->seconds / 3600.0);
    int64_t step = hours / HOUR_LINES_MAX + 1;
    int64_t endpoints = 1;
    for (int64_t h = 0; h <= hours; h += step) {
        double x = x_of(c, h * 3600);
        RW_TRY(rw_buf_appendf(c->into, err,
                              "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                              "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld h</text>\n",
                              x, TOP, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, (long long)h));
    }
    for (int d = 0; d <= (int)c->decades; d++, endpoints *= 10) {
        double y = y_of(c, endpoints);
        RW_TRY(rw_buf_appendf(c->into, err,
                              "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                              "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%lld</text>\n",
                              LEFT, y, WIDTH - RIGHT, y, LEFT - 6, y + 4, (long long)endpoints));
    }
    return RW_OK;
}

static const char *colour_of(size_t number)
{
    return colours[number % RW_LEN(colours)];
}

static const char *dash_of(size_t number)
{
    size_t round = number / RW_LEN(colours);
    return round == 0 ? "none" : round == 1 ? "6 3" : "2 3";
}

/* Curves lie upon each other until they end: the legend tells where and when each did. */
static RW_RC draw_legend(const struct canvas *c, const struct sim_summary *s, size_t number,
                         struct rw_err *err)
{
    const struct sim_outcome *o = &s->first;
    double y = TOP + 10.0 + 20.0 * (double)number;
    RW_TRY(rw_buf_appendf(c->into, err,
                          "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\" "
                          "stroke-dasharray=\"%s\" stroke-width=\"2\"/>"
                          "<text x=\"%d\" y=\"%.1f\">%s",
                          WIDTH - RIGHT + 15, y, WIDTH - RIGHT + 45, y, colour_of(number),
                          dash_of(number), WIDTH - RIGHT + 52, y + 4, s->fault->name));
    if (o->stop_s >= 0) {
        char after[32];
        RW_TRY(rw_buf_appendf(c->into, err, "<tspan fill=\"#555\">: %lld, after %s</tspan>",
                              (long long)o->exposed,
                              cli_view_duration(o->stop_s, after, sizeof(after))));
    }
    return rw_buf_append_str(c->into, "</text>\n", err);
}

static RW_RC draw_fault(const struct canvas *c, const struct sim_summary *s, size_t number,
                        struct rw_err *err)
{
    const struct sim_outcome *o = &s->first;
    RW_TRY(rw_buf_appendf(c->into, err,
                          "<polyline fill=\"none\" stroke=\"%s\" stroke-dasharray=\"%s\" "
                          "stroke-width=\"1.5\" points=\"",
                          colour_of(number), dash_of(number)));
    for (size_t i = 0; i < o->point_count; i++) {
        RW_TRY(rw_buf_appendf(c->into, err, "%.1f,%.1f ", x_of(c, o->points[i].at_s),
                              y_of(c, o->points[i].exposed)));
    }
    RW_TRY(rw_buf_appendf(c->into, err, "\"><title>%s</title></polyline>\n", s->fault->text));
    if (o->stop_s >= 0 && o->point_count > 0) {
        const struct sim_point *last = &o->points[o->point_count - 1];
        RW_TRY(rw_buf_appendf(c->into, err,
                              "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n",
                              x_of(c, last->at_s), y_of(c, last->exposed), colour_of(number)));
    }
    return draw_legend(c, s, number, err);
}

RW_RC cmd_simulate_svg(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                       struct rw_buf *into, struct rw_err *err)
{
    const struct canvas c = {.into = into,
                             .seconds = (double)plan->horizon_min * 60.0,
                             .decades = ceil(log10(fmax((double)plan->endpoints, 10.0)))};
    RW_TRY(rw_buf_appendf(
        into, err,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
        "font-family=\"sans-serif\" "
        "font-size=\"12\">\n<style>.grid{stroke:#ddd;stroke-width:1}</style>\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n"
        "<text x=\"%d\" y=\"24\" font-size=\"16\">Simulated: endpoints exposed over time, %lld "
        "endpoints%s; dot: stopped, with how many</text>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, (long long)plan->endpoints,
        plan->linear_min > 0 ? ", ramp by time alone" : ""));
    RW_TRY(draw_grid(&c, err));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(draw_fault(&c, &list[i], i, err));
    }
    return rw_buf_append_str(into, "</svg>\n", err);
}

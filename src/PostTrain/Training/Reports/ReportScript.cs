namespace PostTrain.Training.Reports;

/// <summary>The script of <see cref="HtmlReport"/>: values at the pointer, a logarithmic axis, zoom. Without it the charts stay as they are
/// drawn.</summary>
internal static class ReportScript
{
    // The page is well-formed XML: no '<' and no '&' here. The geometry is that of CurveDrawing.
    public const string Js = """

        (() => {
          'use strict';
          const W = 420, H = 220, L = 44, R = 10, T = 12, B = 26, NS = 'http://www.w3.org/2000/svg';
          const make = (name, attributes, text) => {
            const element = document.createElementNS(NS, name);
            for (const key in attributes) element.setAttribute(key, attributes[key]);
            if (text !== undefined) element.textContent = text;
            return element;
          };
          const short = value => {
            const size = Math.abs(value);
            if (value === 0) return '0';
            if (size >= 1e12) return value.toExponential(2);
            if (size >= 1e9) return +(value / 1e9).toFixed(2) + 'G';
            if (size >= 1e6) return +(value / 1e6).toFixed(2) + 'M';
            if (size >= 1e4) return +(value / 1e3).toFixed(1) + 'k';
            return size >= 1e-3 ? String(+value.toPrecision(4)) : (+value.toPrecision(3)).toExponential();
          };
          const nice = rough => {
            const power = 10 ** Math.floor(Math.log10(rough)), factor = rough / power;
            return power * (factor > 7.07 ? 10 : factor > 3.16 ? 5 : factor > 1.41 ? 2 : 1);
          };
          const button = (text, title) => {
            const element = document.createElement('button');
            element.type = 'button';
            element.textContent = text;
            element.title = title;
            return element;
          };
          const isPoint = point => point[1] !== null;

          for (const figure of document.querySelectorAll('figure[data-chart]')) {
            const series = JSON.parse(figure.dataset.chart), svg = figure.querySelector('svg');
            const all = series.flatMap(line => line.raw.filter(isPoint));
            if (!(all.length > 1)) continue;
            const steps = [...new Set(all.map(point => point[0]))].sort((a, b) => a - b);
            const whole = [steps[0], steps[steps.length - 1]];
            if (whole[0] === whole[1]) continue;
            let range = whole, isLog = false, x, y, inverse;

            const tools = document.createElement('span'), tip = document.createElement('div');
            tools.className = 'tools';
            tip.className = 'tip';
            tip.hidden = true;
            const log = button('log', 'logarithmic axis'), back = button('whole run', 'show the whole run');
            back.hidden = true;
            if (all.every(point => point[1] > 0)) tools.append(log);
            tools.append(back);
            figure.querySelector('figcaption').append(tools);
            figure.append(tip);

            const draw = () => {
              const inside = point => isPoint(point) ? (point[0] >= range[0] ? range[1] >= point[0] : false) : false;
              const values = series.flatMap(line => line.raw.filter(inside).map(point => point[1]));
              let low = Math.min(...values), high = Math.max(...values), ticks = [];
              if (isLog) {
                if (low === high) { low /= 2; high *= 2; }
                for (let power = Math.floor(Math.log10(low)); Math.ceil(Math.log10(high)) >= power; power++)
                  for (const factor of high / low > 100 ? [1] : [1, 2, 5]) ticks.push(factor * 10 ** power);
                const below = ticks.filter(tick => low >= tick), above = ticks.filter(tick => tick >= high);
                low = below.length > 0 ? below[below.length - 1] : low;
                high = above.length > 0 ? above[0] : high;
                ticks = ticks.filter(tick => tick >= low ? high >= tick : false);
              } else {
                if (low > 0) if (0.35 * high > low) low = 0;
                if (low === high) { const size = Math.abs(low) || 1; low -= 0.1 * size; high += 0.1 * size; }
                const step = nice((high - low) / 4);
                low = Math.floor(low / step + 1e-9) * step;
                const count = Math.max(1, Math.round(Math.ceil((high - low) / step - 1e-9)));
                high = low + count * step;
                for (let i = 0; count >= i; i++) ticks.push(low + i * step);
              }
              const f = value => isLog ? Math.log(value) : value;
              x = step => L + (step - range[0]) / (range[1] - range[0]) * (W - L - R);
              y = value => H - B - (f(value) - f(low)) / (f(high) - f(low)) * (H - T - B);
              inverse = place => range[0] + (place - L) / (W - L - R) * (range[1] - range[0]);

              svg.replaceChildren();
              tip.hidden = true;
              for (const tick of ticks) {
                svg.append(make('line', { class: tick === ticks[0] ? 'axis' : 'grid', x1: L, x2: W - R, y1: y(tick), y2: y(tick) }));
                svg.append(make('text', { x: L - 7, y: y(tick) + 3.5, 'text-anchor': 'end' }, short(+tick.toPrecision(12))));
              }
              svg.append(make('text', { x: L - 7, y: H - 8, 'text-anchor': 'end', class: 'name' }, 'step'));
              const stride = Math.max(1, nice((range[1] - range[0]) / 5));
              for (let step = Math.ceil(range[0] / stride - 1e-9) * stride; range[1] >= step; step += stride)
                svg.append(make('text', { x: Math.min(x(step), W - 12), y: H - 8, 'text-anchor': 'middle' }, short(step)));
              series.forEach(line => {
                for (const kind of line.trend ? ['raw', 'trend'] : ['raw']) {
                  let path = '', lone = null, joined = 0;
                  for (const point of line[kind]) {
                    if (!inside(point)) {
                      if (joined === 1) svg.append(dot(lone, line.style));
                      joined = 0;
                      continue;
                    }
                    lone = point;
                    path += (joined === 0 ? 'M' : 'L') + x(point[0]).toFixed(2) + ' ' + y(point[1]).toFixed(2);
                    joined++;
                  }
                  if (joined === 1) svg.append(dot(lone, line.style));
                  const style = (line.trend ? (kind === 'raw' ? 'raw ' : 'line ') : 'line ') + line.style;
                  if (path !== '') svg.append(make('path', { class: style, d: path }));
                }
              });
              back.hidden = range === whole;
            };
            const dot = (point, style) => make('circle', { class: style, cx: x(point[0]), cy: y(point[1]), r: 2.2 });

            const place = event => {
              const box = svg.getBoundingClientRect();
              return (event.clientX - box.left) / box.width * W;
            };
            const marks = make('g', { class: 'marks' }), shade = make('rect', { class: 'shade', y: T, height: H - T - B });
            const show = event => {
              const wanted = inverse(place(event));
              let step = null;
              for (const candidate of steps)
                if (candidate >= range[0] ? range[1] >= candidate : false)
                  if (step === null || Math.abs(step - wanted) > Math.abs(candidate - wanted)) step = candidate;
              if (step === null) return;
              marks.replaceChildren(make('line', { x1: x(step), x2: x(step), y1: T, y2: H - B }));
              tip.replaceChildren(Object.assign(document.createElement('b'), { textContent: 'step ' + step }));
              for (const line of series) {
                const at = line.raw.find(point => point[0] === step ? isPoint(point) : false);
                if (!at) continue;
                marks.append(make('circle', { class: line.style, cx: x(step), cy: y(at[1]), r: 3 }));
                const row = document.createElement('span');
                row.className = 'key ' + line.style.replace('c', 'k');
                row.textContent = (series.length > 1 ? line.name + ' ' : '') + short(at[1]);
                tip.append(row);
              }
              svg.append(marks);
              tip.hidden = false;
              const box = figure.getBoundingClientRect(), left = event.clientX - box.left;
              tip.style.left = (left > box.width / 2 ? left - tip.offsetWidth - 14 : left + 14) + 'px';
              tip.style.top = (event.clientY - box.top - tip.offsetHeight / 2) + 'px';
            };
            let start = null;
            svg.addEventListener('pointermove', event => {
              show(event);
              if (start === null) return;
              const end = Math.max(L, Math.min(W - R, place(event)));
              shade.setAttribute('x', Math.min(start, end));
              shade.setAttribute('width', Math.abs(end - start));
              svg.append(shade);
            });
            svg.addEventListener('pointerdown', event => {
              start = Math.max(L, Math.min(W - R, place(event)));
              svg.setPointerCapture(event.pointerId);
            });
            svg.addEventListener('pointerup', event => {
              const end = Math.max(L, Math.min(W - R, place(event))), from = start;
              start = null;
              shade.remove();
              if (from === null || !(Math.abs(end - from) > 8)) return;
              const chosen = [inverse(Math.min(from, end)), inverse(Math.max(from, end))];
              if (steps.filter(step => step >= chosen[0] ? chosen[1] >= step : false).length > 1) { range = chosen; draw(); }
            });
            svg.addEventListener('pointerleave', () => { marks.remove(); tip.hidden = true; });
            svg.addEventListener('dblclick', () => { range = whole; draw(); });
            back.addEventListener('click', () => { range = whole; draw(); });
            log.addEventListener('click', () => { isLog = !isLog; log.setAttribute('aria-pressed', isLog); draw(); });
            svg.classList.add('live');
            draw();
          }
        })();

        """;
}

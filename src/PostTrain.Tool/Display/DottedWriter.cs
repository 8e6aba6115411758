using System.Text;

namespace PostTrain.Tool;

/// <summary>Plain output of a command: lines as they come, and a dot on the progress writer after each two seconds without one while a
/// command is busy. No control characters.</summary>
internal sealed class DottedWriter : TextWriter
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);
    private readonly TextWriter inner;
    private readonly State state;

    private DottedWriter(TextWriter inner, State state) => (this.inner, this.state) = (inner, state);

    public override Encoding Encoding => inner.Encoding;

    /// <summary>Wraps the two outputs of a process, which share their dots.</summary>
    internal static (DottedWriter Output, DottedWriter Progress) Pair(TextWriter output, TextWriter progress, TimeProvider? time = null)
    {
        var state = new State(progress, time ?? TimeProvider.System);
        return (new DottedWriter(output, state), new DottedWriter(progress, state));
    }

    /// <summary>Starts the dots; disposing the result ends them.</summary>
    internal IDisposable Busy() => new Dots(state);

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        lock (state)
        {
            state.EndDots();
            inner.Write(value);
            inner.Flush();
            state.Last = state.Time.GetTimestamp();
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => Write(value + Environment.NewLine);

    private sealed class State(TextWriter progress, TimeProvider time)
    {
        private bool dotted;

        public TimeProvider Time => time;

        public long Last { get; set; } = time.GetTimestamp();

        public void EndDots()
        {
            if (dotted)
                progress.WriteLine();
            dotted = false;
        }

        public void Dot()
        {
            lock (this)
            {
                if (time.GetElapsedTime(Last) < Silence)
                    return;
                progress.Write('.');
                progress.Flush();
                (dotted, Last) = (true, time.GetTimestamp());
            }
        }
    }

    private sealed class Dots : IDisposable
    {
        private readonly State state;
        private readonly ITimer timer;

        internal Dots(State state)
        {
            this.state = state;
            lock (state)
                state.Last = state.Time.GetTimestamp();
            timer = state.Time.CreateTimer(_ => state.Dot(), null, Silence / 8, Silence / 8);
        }

        public void Dispose()
        {
            timer.Dispose();
            lock (state)
                state.EndDots();
        }
    }
}

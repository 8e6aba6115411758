using PostTrain.Data;
using PostTrain.Training;

namespace PostTrain.Tool;

/// <content>The training itself, with its display.</content>
internal sealed partial class TrainingRun
{
    /// <summary>Trains on records: evaluates before the first step, shows each step, evaluates after the last.</summary>
    /// <returns>The reports of the whole run, the one before the first step included.</returns>
    internal IReadOnlyList<StepReport> Train<T>(DatasetTrainer<T> trainer, RunData<T> data, string title)
    {
        Begin(trainer.Resume);
        if (checkpoint is null && data.Evaluation is { } heldOut)
            logs.Report(
                new StepReport(
                    0,
                    double.NaN,
                    terminal.Do($"evaluating on {heldOut.Count} records before training", () => trainer.Evaluate(heldOut)),
                    TimeSpan.Zero
                )
            );
        Stop.ThrowIfCancellationRequested();
        using (var display = Display(title))
            foreach (var report in trainer.Run(data.Train, data.Evaluation, Stop))
                display.Report(report);
        return Reports();
    }

    /// <summary>Trains on completions of its own.</summary>
    /// <param name="trainer">The trainer.</param>
    /// <param name="data">The problems.</param>
    /// <param name="title">Title of the training.</param>
    internal async Task<IReadOnlyList<StepReport>> TrainAsync(RolloutTrainer trainer, RunData<Problem> data, string title)
    {
        Begin(trainer.Resume);
        if (checkpoint is null && data.Evaluation is { } heldOut)
            logs.Report(
                new StepReport(
                    0,
                    double.NaN,
                    await terminal
                        .DoAsync($"evaluating on {heldOut.Count} problems before training", () => trainer.EvaluateAsync(heldOut, Stop))
                        .ConfigureAwait(false),
                    TimeSpan.Zero
                )
            );
        Stop.ThrowIfCancellationRequested();
        using (var display = Display(title))
            await foreach (var report in trainer.RunAsync(data.Train, data.Evaluation, Stop).ConfigureAwait(false))
                display.Report(report);
        return Reports();
    }

    private void Begin(Action<string> resume)
    {
        if (checkpoint is not null)
        {
            terminal.Do($"loading {checkpoint}", () => resume(checkpoint));
            terminal.Line($"going on after step {Checkpoint.ReadState(checkpoint).Step}");
        }
        else if (folder.IsResumed)
            terminal.Line($"{folder.Path} holds no checkpoint: starting at step 0");
        folder.Prepare();
        RunFile.Write(folder.PathOf(RunFile.Name), command.Name, Settings());
        hasBegun = true;
        terminal.Line($"results in {folder.Path}");
    }

    private TrainingDisplay Display(string title) =>
        new(title, Steps, Math.Max(1, Steps / 20), plain: terminal.IsLive ? null : terminal.Output);

    private IReadOnlyList<StepReport> Reports()
    {
        logs.Dispose();
        return MetricsLog.Read(logs.MetricsPath);
    }
}

using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The frame of a run that all trainers share: counting steps, reporting, checkpoints, resuming, stopping.</summary>
internal sealed class TrainingSession : IDisposable
{
    private readonly nn.Module model;
    private readonly TrainingOptions options;
    private readonly Stopwatch watch = new();
    private TimeSpan before;
    private long savedStep = -1;

    internal TrainingSession(nn.Module model, TrainingOptions options, int updatesPerStep = 1)
    {
        this.model = model;
        this.options = options;
        Optimization = new Optimization(model, options, updatesPerStep);
    }

    internal Optimization Optimization { get; }

    /// <summary>Steps done.</summary>
    internal long Step { get; private set; }

    /// <summary>Examples read from the data.</summary>
    internal long DataPosition { get; set; }

    internal TimeSpan Elapsed => before + watch.Elapsed;

    /// <summary>Goes on from a checkpoint directory.</summary>
    internal void Resume(string checkpoint)
    {
        // Before the first tensor changes.
        if (Checkpoint.ReadState(checkpoint).Seed is var seed && seed != options.Seed)
            throw new ArgumentException($"the checkpoint {checkpoint} was made with seed {seed}, the options say {options.Seed}", nameof(checkpoint));
        var state = Checkpoint.Load(checkpoint, model, Optimization);
        (Step, DataPosition, before, savedStep) = (state.Step, state.DataPosition, TimeSpan.FromSeconds(state.ElapsedSeconds), state.Step);
    }

    /// <summary>Called first: seeds what a model draws by itself (dropout), unless the run goes on from a checkpoint.</summary>
    internal void Begin()
    {
        if (Step == 0) manual_seed((long)options.Seed);
        watch.Start();
    }

    /// <summary>Whether another step is to be done. When the run was cancelled, leaves a checkpoint and throws.</summary>
    internal bool Continues(CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            Save();
            cancellation.ThrowIfCancellationRequested();
        }
        if (Step < options.Steps) return true;
        Save();
        watch.Stop();
        return false;
    }

    /// <summary>Ends a step: counts, saves when it is time, tells the observers.</summary>
    internal StepReport Complete(double loss, Dictionary<string, double> metrics)
    {
        Step++;
        var report = new StepReport(Step, loss, metrics, Elapsed);
        foreach (var observer in options.Observers) observer.Report(report);
        if (options.CheckpointEvery > 0 && Step % options.CheckpointEvery == 0) Save();
        return report;
    }

    /// <summary>Keeps a checkpoint of this step, where a directory is given and there is none yet.</summary>
    internal void Save()
    {
        if (options.CheckpointDirectory is not { } directory || savedStep == Step) return;
        Checkpoint.Save(directory, model, Optimization,
            new TrainingState(TrainingState.CurrentFormat, Step, Optimization.Updates, DataPosition, options.Seed, Elapsed.TotalSeconds));
        savedStep = Step;
    }

    public void Dispose() => Optimization.Dispose();
}

using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>A trainer with its options, for the laws of all trainers.</summary>
internal sealed class TrainerCase
{
    private readonly Func<TrainerRun, Task<Result>> run;

    private TrainerCase(Func<TrainerRun, Task<Result>> run) => this.run = run;

    /// <param name="create">What is trained, by a run's seed and type.</param>
    /// <param name="train">Makes the trainer, resumes it where the run says so, and gives its reports.</param>
    internal static TrainerCase Of<T>(Func<TrainerRun, T> create, Func<T, TrainerRun, StepReport[]> train)
        where T : nn.Module => Of(create, (model, run) => Task.FromResult(train(model, run)), model => [model]);

    /// <inheritdoc cref="Of{T}(Func{TrainerRun, T}, Func{T, TrainerRun, StepReport[]})"/>
    internal static TrainerCase Of<T>(Func<TrainerRun, T> create, Func<T, TrainerRun, Task<StepReport[]>> train)
        where T : nn.Module => Of(create, train, model => [model]);

    /// <inheritdoc cref="Of{T}(Func{TrainerRun, T}, Func{T, TrainerRun, StepReport[]})"/>
    /// <param name="create">As there.</param>
    /// <param name="train">As there.</param>
    /// <param name="trained">The modules of what was created.</param>
    internal static TrainerCase Of<T>(
        Func<TrainerRun, T> create,
        Func<T, TrainerRun, Task<StepReport[]>> train,
        Func<T, nn.Module[]> trained
    )
        where T : IDisposable =>
        new(async run =>
        {
            using var subject = create(run);
            var reports = await train(subject, run);
            using var scope = NewDisposeScope();
            return new Result(
                [.. reports.Select(Toy.Numbers)],
                [.. trained(subject).SelectMany(Toy.Bytes)],
                [.. trained(subject).SelectMany(module => module.parameters()).SelectMany(parameter => Numbers.Values(parameter))]
            );
        });

    internal Task<Result> Run(TrainerRun how) => run(how);

    /// <summary>What a run leaves.</summary>
    /// <param name="Reports">The numbers of each step, without those that measure time.</param>
    /// <param name="Bytes">Of all parameters.</param>
    /// <param name="Parameters">Their values.</param>
    internal sealed record Result(Dictionary<string, double>[] Reports, byte[] Bytes, double[] Parameters);
}

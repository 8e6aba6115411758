using PostTrain.Benchmarks.Workloads.Models;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>A step of <see cref="DpoTrainer"/> on 4 pairs, sigmoid, beta 0.1.</summary>
/// <remarks>An adapter is trained; the model without it is the reference, asked in the step.</remarks>
internal sealed class DpoStep : IWorkload
{
    private const int Pairs = BenchmarkModel.Rows / 2;

    public string Id => "S.dpo.lora";

    public IReadOnlyList<string> Sizes => BenchmarkModel.Names;

    public string? Missing(string size) => BenchmarkModel.Of(size).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var choice = BenchmarkModel.Of(size);
        var model = choice.Load(inputs.ModelType);
        var work = new ModelWork(model);
        var adapter = TrainingStep.On(model);
        var tokenizer = new CharacterIds(model.VocabularySize);
        int prompt = choice.Length / 2;
        var rows = StepRows.Of(inputs, BenchmarkModel.Rows, choice.Length, model.VocabularySize);
        string[] texts = [.. StepRows.WithPrompts(rows, prompt, row => row % Pairs).Select(row => tokenizer.Decode(row))];
        PreferencePair[] batch =
        [
            .. texts[..Pairs]
                .Zip(texts[Pairs..], (chosen, rejected) => new PreferencePair(chosen[..prompt], chosen[prompt..], rejected[prompt..])),
        ];
        var options = new DpoOptions
        {
            Steps = TrainingStep.Unlimited,
            LearningRate = TrainingStep.Rate,
            Beta = 0.1,
        };
        var trainer = new DpoTrainer(model, tokenizer, adapter.Reference(model), options);
        double flops =
            work.AdapterStep(BenchmarkModel.Rows, choice.Length, adapter.TrainableCount)
            + work.Forward(BenchmarkModel.Rows, choice.Length, choice.Length);
        return TrainingStep.Call(() => trainer.Step(batch), choice, inputs, flops, trainer, adapter, model);
    }
}

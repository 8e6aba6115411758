using PostTrain.Benchmarks.Workloads.Models;
using PostTrain.Data;
using PostTrain.Supervised;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>A step of <see cref="SftTrainer"/> on 8 rows: every token but the first is a target. All weights are trained, or an
/// adapter.</summary>
internal sealed class SftStep(string id, bool adapted) : IWorkload
{
    public string Id => id;

    public IReadOnlyList<string> Sizes => BenchmarkModel.Names;

    public string? Missing(string size) => BenchmarkModel.Of(size).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var choice = BenchmarkModel.Of(size);
        var model = choice.Load(inputs.ModelType);
        var work = new ModelWork(model);
        var adapter = adapted ? TrainingStep.On(model) : null;
        var tokenizer = new CharacterIds(model.VocabularySize);
        var rows = StepRows.Of(inputs, BenchmarkModel.Rows, choice.Length, model.VocabularySize);
        Demonstration[] batch = [.. rows.Select(row => tokenizer.Decode(row)).Select(text => new Demonstration(text[..1], text[1..]))];
        var trainer = new SftTrainer(model, tokenizer, new SftOptions { Steps = TrainingStep.Unlimited, LearningRate = TrainingStep.Rate });
        double flops = adapter is null
            ? work.FullStep(BenchmarkModel.Rows, choice.Length, choice.Length)
            : work.AdapterStep(BenchmarkModel.Rows, choice.Length, adapter.TrainableCount);
        return TrainingStep.Call(() => trainer.Step(batch), choice, inputs, flops, trainer, adapter, model);
    }
}

using PostTrain.Adapters.Prompts;

namespace PostTrain.Tests.Adapters;

/// <summary>What prompt tuning can do: choose among the tasks that a base knows. The sample prompt-width measures it over
/// widths and seeds.</summary>
public sealed class PromptChoiceTests
{
    [Fact]
    public void Prompts_ChooseAmongTasks_AndTeachNone()
    {
        const int steps = 300;
        using var model = ChoiceTask.Base(width: 16, steps: 1200, seed: 1);
        double named = ChoiceTask.Accuracy(model, 'b', Enumerable.Range(0, 200).Select(i => $"{5 * i:D3}"), ".b..");
        Assert.True(named > 0.9, $"the base answers {named} of what is named");
        using (var prompted = new SoftPromptLm(model, ChoiceTask.Text(model)))
        {
            double prompt = ChoiceTask.Tuned(prompted, 'b', steps, 0.3, seed: 1).Accuracy;
            Assert.True(prompt > named - 0.1, $"prompt tuning {prompt}, the base by name {named}");
        }
        // P-tuning's network, started where the table is, keeps up with it.
        using (var text = ChoiceTask.Text(model))
        using (var prompted = ChoiceTask.Network(model, text, seed: 1))
        {
            double encoded = ChoiceTask.Tuned(prompted, 'b', steps, 1e-2, seed: 1).Accuracy;
            Assert.True(encoded > named - 0.1, $"P-tuning {encoded}, the base by name {named}");
        }
        // The control: without training the same rows choose nothing.
        using (var prompted = new SoftPromptLm(model, ChoiceTask.Text(model)))
        {
            double untrained = ChoiceTask.Accuracy(prompted, 'b', Enumerable.Range(0, 200).Select(i => $"{5 * i:D3}"), "");
            Assert.True(untrained < 0.6, $"an untrained prompt reaches {untrained}");
        }
        // Another: the base copies digits, and no prompt makes it translate them. The whole model learns it at once.
        using (var prompted = new SoftPromptLm(model, ChoiceTask.Text(model)))
        {
            double unknown = ChoiceTask.Tuned(prompted, ChoiceTask.Unknown, steps, 0.3, seed: 1).Accuracy;
            Assert.True(unknown < 0.3, $"prompt tuning reaches {unknown} on the unknown task");
        }
        foreach (var parameter in model.parameters())
            parameter.requires_grad = true;
        double full = ChoiceTask.Tuned(model, ChoiceTask.Unknown, steps, 3e-3, seed: 1).Accuracy;
        Assert.True(full > 0.8, $"full tuning reaches {full} on the unknown task");
    }
}

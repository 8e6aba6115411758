using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Refinement.Instructions;

namespace PostTrain.Tests.Refinement;

/// <summary>Completions as models write them, and what is read out of them.</summary>
public sealed class InstructionTextsTests
{
    [Theory]
    [InlineData(" Write a poem.\n10. Sort the list.\n11. Name a city.", "Write a poem.|Sort the list.|Name a city.")]
    [InlineData(
        "9. Write a poem.\n10) Sort the list.\n(11) Name a city.\n[12] Add.\n13: Go.\n14 . Stay.",
        "Write a poem.|Sort the list.|Name a city.|Add.|Go.|Stay."
    )]
    [InlineData(
        "Sure! Here are some tasks:\n\n9. Write a poem.\n\n10. Sort the list.\n\nLet me know if you need more!",
        "Write a poem.|Sort the list."
    )]
    [InlineData("**9.** Write a poem.\n**10.** **Sort the list.**\n- 11. \"Name a city.\"", "Write a poem.|Sort the list.|Name a city.")]
    [InlineData(
        "Task 9: Write a poem.\r\n### Task 10. Sort\r\nthe list.\r\nInstruction #11: Name a city.",
        "Write a poem.|Sort the list.|Name a city."
    )]
    [InlineData(
        " Mix\n1.5 litres of milk with 2 eggs\n10. Sort:\n- apples\n- pears",
        "Mix 1.5 litres of milk with 2 eggs|Sort: - apples - pears"
    )]
    [InlineData("Here you are:\n- Write a poem.\n* Sort the list.\n• Name a city.", "Write a poem.|Sort the list.|Name a city.")]
    [InlineData("Only one thing", "Only one thing")]
    [InlineData("Only a promise:", "")]
    [InlineData("9.\n10.\n\n\n11. ", "")]
    public void List_IsReadAsItIsWritten(string text, string expected)
    {
        Assert.Equal(expected, string.Join('|', InstructionList.Parse(text, finished: true, most: 64)));
    }

    [Fact]
    public void List_LeavesOutWhatWasCutOff()
    {
        Assert.Equal(["Write a poem."], InstructionList.Parse(" Write a poem.\n10. Sort the li", finished: false, most: 64));
        Assert.Equal(["Write a poem."], InstructionList.Parse(" Write a poem.\n10. ", finished: false, most: 64));
        Assert.Empty(InstructionList.Parse(" Write a po", finished: false, most: 64));
        Assert.Equal(["a", "b"], InstructionList.Parse("a\n2. b\n3. c", finished: true, most: 2));
    }

    [Theory]
    [InlineData(
        "Example 1\nList: [2, 1]\nOutput: [1, 2]\nExample 2\nInput 2 - List: [4]\nOutput: [4]",
        "List: [2, 1]>[1, 2]|Input 2 - List: [4]>[4]"
    )]
    [InlineData("Output: just\nthis", ">just\nthis")]
    [InlineData("Output 1: red\nOutput 2: blue", ">red|>blue")]
    [InlineData(
        "Sure, here are two:\n\n**Example 1:**\n**Input:** a\n**Output:** b\n\n### Example 2\nInput: c\nOutput:\nd\ne",
        "a>b|c>d\ne"
    )]
    [InlineData("Input: a\nOutput: b\nInput: c\nOutput: d", "a>b|c>d")]
    [InlineData("Sentence: It rains.\nOutput: wet", "Sentence: It rains.>wet")]
    [InlineData("Input: Examples of\ninput words\nOutput: yes", "Examples of\ninput words>yes")]
    [InlineData("Input: a question without an answer", "")]
    [InlineData("prose", "")]
    public void Instances_InputFirst(string text, string expected) =>
        Assert.Equal(expected, Show(InstanceText.InputFirst(text, finished: true, most: 64)));

    [Theory]
    [InlineData(
        "Class label: Positive\nSentence: I am glad.\nClass label: Negative\nInput: I am\nsad.",
        "Sentence: I am glad.>Positive|I am\nsad.>Negative"
    )]
    [InlineData("Of course.\n**Class label:** Montreal", ">Montreal")]
    [InlineData("prose", "")]
    public void Instances_OutputFirst(string text, string expected) =>
        Assert.Equal(expected, Show(InstanceText.OutputFirst(text, finished: true, most: 64)));

    [Fact]
    public void Instances_LeaveOutWhatWasCutOff_AndWhatIsTooMuch()
    {
        Assert.Equal("a>b", Show(InstanceText.InputFirst("Input: a\nOutput: b\nInput: c\nOutput: d", finished: false, most: 64)));
        Assert.Equal("a>b", Show(InstanceText.InputFirst("Input: a\nOutput: b\nInput: c", finished: false, most: 64)));
        Assert.Equal("x>A", Show(InstanceText.OutputFirst("Class label: A\nx\nClass label: B\ny", finished: false, most: 64)));
        string endless = string.Concat(Enumerable.Repeat("Input: a\nOutput: b\n", 100_000));
        Assert.Equal(5, InstanceText.InputFirst(endless, finished: true, most: 5).Count);
        Assert.Equal(
            5,
            InstanceText.OutputFirst(string.Concat(Enumerable.Repeat("Class label: a\nb\n", 100_000)), finished: true, most: 5).Count
        );
    }

    [Theory]
    [InlineData(" Yes", true)]
    [InlineData("\n**yes**, it is", true)]
    [InlineData("YES.", true)]
    [InlineData("No", false)]
    [InlineData("I think yes", false)]
    [InlineData("", false)]
    public void Classification_IsTheFirstWord(string text, bool expected) => Assert.Equal(expected, InstanceText.IsYes(text));

    private static string Show(IEnumerable<InstructionInstance> instances) =>
        string.Join('|', instances.Select(instance => $"{instance.Input}>{instance.Output}"));
}

import OpenAI from "openai";
const openai = new OpenAI();
const response = await openai.responses.create({
  prompt: { id: "pmpt_68a1", version: "2", variables: { city: 'Lima' } },
});

import { convexVue } from "convex-vue";
import { createApp } from "vue";
import App from "./App.vue";

createApp(App).use(convexVue, { url: "http://127.0.0.1:3210" }).mount("#app");
